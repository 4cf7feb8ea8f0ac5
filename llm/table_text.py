"""What the programs beside it that write tables of C++ share."""


def emit(name, kind, comment, entries):
    """Prints an array of entries, in lines of at most 100 columns."""
    print(f"\n// {comment}")
    print(f"constexpr {kind} {name}[] = {{")
    line = "   "
    for entry in entries:
        if len(line) + len(entry) + 2 > 100:
            print(line)
            line = "   "
        line += f" {entry},"
    print(line)
    print("};")
