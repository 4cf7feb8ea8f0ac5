// Poppler builds a colour transform for every page and every colour space with a profile, which is
// more than half of the time of a text worker that never looks at a colour. Defined in the
// executable, this function takes the place of Little CMS's, and poppler goes on without
// transforms.

extern "C" void* cmsCreateTransform(void* input, unsigned input_format, void* output,
                                    unsigned output_format, unsigned intent, unsigned flags);

extern "C" void* cmsCreateTransform(void* /*input*/, unsigned /*input_format*/, void* /*output*/,
                                    unsigned /*output_format*/, unsigned /*intent*/,
                                    unsigned /*flags*/) {
  return nullptr;
}
