#include "services/rpc/service_bindings.h"

#include "ragstone/v1/admin.grpc.pb.h"
#include "ragstone/v1/answer.grpc.pb.h"
#include "ragstone/v1/collection.grpc.pb.h"
#include "ragstone/v1/document.grpc.pb.h"
#include "ragstone/v1/job.grpc.pb.h"
#include "ragstone/v1/model.grpc.pb.h"
#include "ragstone/v1/search.grpc.pb.h"
#include "ragstone/v1/vector.grpc.pb.h"
#include "services/api.h"

namespace ragstone::services {

namespace {

// The root of a service's chain of bindings: each Bind… below overrides one method.
template <typename CallbackService>
class Bound : public CallbackService {
 public:
  explicit Bound(const RpcHost& host) : host_(host) {}

 protected:
  const RpcHost host_;
};

#define RAGSTONE_BIND_UNARY(service, method)                                                    \
  template <typename Base>                                                                      \
  class Bind##method : public Base {                                                            \
   public:                                                                                      \
    using Base::Base;                                                                           \
    grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* call,                         \
                                     const v1::method##Request* request,                        \
                                     v1::method##Response* response) override {                 \
      auto* reactor =                                                                           \
          new UnaryCall<v1::method##Request, v1::method##Response>(this->host_, call, #method); \
      return reactor->Start(request, response,                                                  \
                            [api = this->host_.api](const v1::method##Request& message,         \
                                                    const CallContext& context) {               \
                              return api->method(message, context);                             \
                            });                                                                 \
    }                                                                                           \
  };
RAGSTONE_UNARY_RPCS(RAGSTONE_BIND_UNARY)
#undef RAGSTONE_BIND_UNARY

#define RAGSTONE_BIND_STREAM(method)                                                         \
  template <typename Base>                                                                   \
  class Bind##method : public Base {                                                         \
   public:                                                                                   \
    using Base::Base;                                                                        \
    grpc::ServerWriteReactor<v1::method##Response>* method(                                  \
        grpc::CallbackServerContext* call, const v1::method##Request* request) override {    \
      auto* reactor = new ServerStreamCall<v1::method##Request, v1::method##Response>(       \
          this->host_, call, #method);                                                       \
      return reactor->Start(                                                                 \
          request,                                                                           \
          [api = this->host_.api](                                                           \
              const v1::method##Request& message, const Writer<v1::method##Response>& write, \
              const CallContext& context) { return api->method(message, write, context); }); \
    }                                                                                        \
  };
RAGSTONE_BIND_STREAM(Ask)
RAGSTONE_BIND_STREAM(WatchJob)
RAGSTONE_BIND_STREAM(ImportModel)
RAGSTONE_BIND_STREAM(Backup)
RAGSTONE_BIND_STREAM(Purge)
#undef RAGSTONE_BIND_STREAM

#define RAGSTONE_BIND_BIDI(method)                                                             \
  template <typename Base>                                                                     \
  class Bind##method : public Base {                                                           \
   public:                                                                                     \
    using Base::Base;                                                                          \
    grpc::ServerBidiReactor<v1::method##Request, v1::method##Response>* method(                \
        grpc::CallbackServerContext* call) override {                                          \
      auto* reactor =                                                                          \
          new BidiCall<v1::method##Request, v1::method##Response>(this->host_, call, #method); \
      return reactor->Start([api = this->host_.api](const Reader<v1::method##Request>& read,   \
                                                    const Writer<v1::method##Response>& write, \
                                                    const CallContext& context) {              \
        return api->method(read, write, context);                                              \
      });                                                                                      \
    }                                                                                          \
  };
RAGSTONE_BIND_BIDI(AddDocument)
RAGSTONE_BIND_BIDI(UpsertRecordStream)
#undef RAGSTONE_BIND_BIDI

using CollectionBinding = BindCreateCollection<BindListCollections<BindGetCollection<
    BindAlterCollection<BindDeleteCollection<Bound<v1::CollectionService::CallbackService>>>>>>;
using DocumentBinding = BindAddDocument<BindListDocuments<BindGetDocument<BindGetDocumentPage<
    BindUpdateDocumentMetadata<BindDeleteDocument<Bound<v1::DocumentService::CallbackService>>>>>>>;
using SearchBinding = BindSearch<Bound<v1::SearchService::CallbackService>>;
using AnswerBinding = BindAsk<Bound<v1::AnswerService::CallbackService>>;
using JobBinding =
    BindListJobs<BindGetJob<BindWatchJob<BindCancelJob<Bound<v1::JobService::CallbackService>>>>>;
using ModelBinding =
    BindListModels<BindImportModel<BindRemoveModel<Bound<v1::ModelService::CallbackService>>>>;
using RecordCollectionBinding = BindCreateRecordCollection<
    BindAlterRecordCollection<BindDropRecordCollection<BindGetRecordCollection<
        BindListRecordCollections<Bound<v1::VectorService::CallbackService>>>>>>;
using VectorBinding = BindUpsertRecords<BindUpsertRecordStream<BindGetRecords<
    BindDeleteRecords<BindUpdatePayload<BindScrollRecords<BindCountRecords<BindSearchRecords<
        BindSearchRecordBatch<BindRecommendRecords<RecordCollectionBinding>>>>>>>>>>;
using AdminBinding = BindGetStatus<BindBackup<BindPurge<Bound<v1::AdminService::CallbackService>>>>;

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> NewRpcServices(const RpcHost& host) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<CollectionBinding>(host));
  services.push_back(std::make_unique<DocumentBinding>(host));
  services.push_back(std::make_unique<SearchBinding>(host));
  services.push_back(std::make_unique<AnswerBinding>(host));
  services.push_back(std::make_unique<JobBinding>(host));
  services.push_back(std::make_unique<ModelBinding>(host));
  services.push_back(std::make_unique<VectorBinding>(host));
  services.push_back(std::make_unique<AdminBinding>(host));
  return services;
}

}  // namespace ragstone::services
