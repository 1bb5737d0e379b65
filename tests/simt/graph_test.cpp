#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <tests/simt/control.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

// Capture of streams into graphs, and the launch of graphs.
namespace simt {
namespace {

void ok(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }

class Graphs : public testing::Test {
 protected:
  void SetUp() override {
    options().lazy = true;
    ok(cudaSetDevice(0));
    for (cudaStream_t& s : stream_) ok(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    for (cudaEvent_t& e : event_) ok(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
    ok(cudaMalloc(&device_, sizeof(int)));
    ok(cudaMemset(device_, 0, sizeof(int)));
    ok(cudaDeviceSynchronize());
  }
  void TearDown() override {
    for (cudaStream_t s : stream_) cudaStreamDestroy(s);  // ends a capture that went wrong
    for (cudaEvent_t e : event_) cudaEventDestroy(e);
    cudaFree(device_);
    cudaGetLastError();
    options() = saved_;
  }

  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
    ok(cudaStreamBeginCapture(stream_[0], mode));
  }
  /// The end of a capture that is to fail.
  cudaError_t end() {
    auto graph = reinterpret_cast<cudaGraph_t>(1);
    const cudaError_t error = cudaStreamEndCapture(stream_[0], &graph);
    EXPECT_EQ(graph, nullptr);
    return error;
  }
  cudaGraphExec_t end_and_instantiate(size_t nodes) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_[0], &graph), cudaSuccess);
    size_t count = 0;
    EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
    EXPECT_EQ(count, nodes);
    EXPECT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);  // the executable one is a copy
    return exec;
  }
  /// A kernel that notes that it has run.
  cudaError_t note(int i, cudaStream_t stream) {
    return launch({nullptr, 1, 32, 0}, stream, [this, i](int) { order_.push_back(i); });
  }
  cudaStreamCaptureStatus status(cudaStream_t stream) {
    cudaStreamCaptureStatus status;
    EXPECT_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
    return status;
  }

  const Options saved_ = options();
  cudaStream_t stream_[3] = {};
  cudaEvent_t event_[3] = {};
  int* device_ = nullptr;
  std::vector<int> order_;
};

TEST_F(Graphs, WorkIsRecordedAndRunsAtEveryLaunch) {
  int parameter = 5;
  begin();
  ok(note(1, stream_[0]));
  ok(launch({nullptr, 1, 32, 0}, stream_[0], [this, parameter](int) {
    const DeviceAccess access;
    *device_ += parameter;
  }));
  EXPECT_EQ(status(stream_[0]), cudaStreamCaptureStatusActive);
  const cudaGraphExec_t exec = end_and_instantiate(2);
  EXPECT_EQ(status(stream_[0]), cudaStreamCaptureStatusNone);
  parameter = 100;
  ok(cudaDeviceSynchronize());
  EXPECT_TRUE(order_.empty());
  for (int i = 0; i < 3; ++i) ok(cudaGraphLaunch(exec, stream_[1]));
  EXPECT_TRUE(order_.empty()) << "launches are lazy too";
  ok(cudaGraphExecDestroy(exec));  // what was launched still runs
  ok(cudaStreamSynchronize(stream_[1]));
  EXPECT_EQ(order_, (std::vector<int>{1, 1, 1}));
  int value = 0;
  ok(cudaMemcpy(&value, device_, sizeof value, cudaMemcpyDeviceToHost));
  EXPECT_EQ(value, 15);
  EXPECT_THROW(cudaGraphLaunch(exec, stream_[1]), Error);
}

TEST_F(Graphs, AForkedStreamTakesPartUntilItIsJoined) {
  begin();
  ok(note(0, stream_[0]));
  ok(cudaEventRecord(event_[0], stream_[0]));
  ok(cudaStreamWaitEvent(stream_[1], event_[0], 0));
  EXPECT_EQ(status(stream_[1]), cudaStreamCaptureStatusActive);
  EXPECT_EQ(status(stream_[2]), cudaStreamCaptureStatusNone);
  ok(note(1, stream_[1]));
  ok(note(2, stream_[0]));
  ok(cudaEventRecord(event_[1], stream_[1]));
  ok(cudaStreamWaitEvent(stream_[0], event_[1], 0));
  ok(note(3, stream_[0]));
  const cudaGraphExec_t exec = end_and_instantiate(4);
  EXPECT_EQ(status(stream_[1]), cudaStreamCaptureStatusNone);
  options().order = Order::Random;
  std::set<std::vector<int>> orders;
  for (int i = 0; i < 50; ++i) {
    order_.clear();
    ok(cudaGraphLaunch(exec, stream_[0]));
    ok(cudaStreamSynchronize(stream_[0]));
    orders.insert(order_);
  }
  // 1 and 2 depend on 0 alone, 3 on both.
  EXPECT_EQ(orders, (std::set<std::vector<int>>{{0, 1, 2, 3}, {0, 2, 1, 3}}));
  ok(cudaGraphExecDestroy(exec));
}

TEST_F(Graphs, LaunchesOfOneGraphFollowEachOther) {
  begin();
  ok(note(1, stream_[0]));
  const cudaGraphExec_t exec = end_and_instantiate(1);
  ok(note(0, stream_[1]));
  ok(cudaGraphLaunch(exec, stream_[1]));
  ok(cudaGraphLaunch(exec, stream_[2]));
  ok(cudaStreamSynchronize(stream_[2]));
  EXPECT_EQ(order_, (std::vector<int>{0, 1, 1}));
  ok(cudaGraphExecDestroy(exec));
}

TEST_F(Graphs, CopiesAndMemsetsAreRecorded) {
  int* pinned;
  ok(cudaHostAlloc(&pinned, sizeof(int), cudaHostAllocDefault));
  begin();
  ok(cudaMemcpyAsync(device_, pinned, sizeof(int), cudaMemcpyHostToDevice, stream_[0]));
  const cudaGraphExec_t exec = end_and_instantiate(1);
  for (int i = 7; i < 9; ++i) {
    *pinned = i;
    ok(cudaGraphLaunch(exec, stream_[0]));
    int value = 0;
    ok(cudaMemcpyAsync(&value, device_, sizeof value, cudaMemcpyDeviceToHost, stream_[0]));
    EXPECT_EQ(value, i);
  }
  ok(cudaFreeHost(pinned));
  ok(cudaGraphLaunch(exec, stream_[0]));
  EXPECT_THROW(cudaStreamSynchronize(stream_[0]), Error) << "the memory was freed";
  ok(cudaGraphExecDestroy(exec));

  begin();
  ok(cudaMemsetAsync(device_, 0, sizeof(int), stream_[0]));
  const cudaGraphExec_t clear = end_and_instantiate(1);
  ok(cudaGraphLaunch(clear, stream_[0]));
  ok(cudaStreamSynchronize(stream_[0]));
  int value = 1;
  ok(cudaMemcpy(&value, device_, sizeof value, cudaMemcpyDeviceToHost));
  EXPECT_EQ(value, 0);
  ok(cudaGraphExecDestroy(clear));
}

/// A call that a capture does not survive.
struct Illegal {
  const char* name;
  cudaError_t error;
  cudaError_t (*call)(cudaStream_t captured, cudaEvent_t event, cudaEvent_t captured_event);
};
void PrintTo(const Illegal& i, std::ostream* out) { *out << i.name; }

class IllegalInCapture : public Graphs, public testing::WithParamInterface<Illegal> {};

TEST_P(IllegalInCapture, FailsAndInvalidates) {
  ok(cudaEventRecord(event_[0], stream_[1]));
  begin();
  ok(note(0, stream_[0]));
  ok(cudaEventRecord(event_[1], stream_[0]));
  EXPECT_EQ(GetParam().call(stream_[0], event_[0], event_[1]), GetParam().error);
  EXPECT_EQ(cudaGetLastError(), GetParam().error);
  EXPECT_EQ(status(stream_[0]), cudaStreamCaptureStatusInvalidated);
  EXPECT_EQ(note(1, stream_[0]), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaEventRecord(event_[2], stream_[0]), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(status(stream_[0]), cudaStreamCaptureStatusNone);
  ok(cudaDeviceSynchronize());
  EXPECT_TRUE(order_.empty());
}

const Illegal kIllegal[] = {
    {"StreamSynchronize", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t s, cudaEvent_t, cudaEvent_t) { return cudaStreamSynchronize(s); }},
    {"StreamQuery", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t s, cudaEvent_t, cudaEvent_t) { return cudaStreamQuery(s); }},
    {"DeviceSynchronize", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, cudaEvent_t) { return cudaDeviceSynchronize(); }},
    {"EventQuery", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t e, cudaEvent_t) { return cudaEventQuery(e); }},
    {"QueryOfCapturedEvent", cudaErrorCapturedEvent,
     [](cudaStream_t, cudaEvent_t, cudaEvent_t e) { return cudaEventQuery(e); }},
    {"SynchronizeOfCapturedEvent", cudaErrorCapturedEvent,
     [](cudaStream_t, cudaEvent_t, cudaEvent_t e) { return cudaEventSynchronize(e); }},
    {"WaitForOutsideWork", cudaErrorStreamCaptureIsolation,
     [](cudaStream_t s, cudaEvent_t e, cudaEvent_t) { return cudaStreamWaitEvent(s, e, 0); }},
    {"Malloc", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, cudaEvent_t) {
       void* p = nullptr;
       return cudaMalloc(&p, 16);
     }},
    {"HostAlloc", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, cudaEvent_t) {
       void* p = nullptr;
       return cudaHostAlloc(&p, 16, 0);
     }},
};
INSTANTIATE_TEST_SUITE_P(Calls, IllegalInCapture, testing::ValuesIn(kIllegal),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(Graphs, PageableCopiesCannotBeCaptured) {
  int value = 0;
  begin();
  EXPECT_EQ(cudaMemcpyAsync(device_, &value, sizeof value, cudaMemcpyHostToDevice, stream_[0]),
            cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Graphs, BeginAndEndMustFit) {
  cudaGraph_t graph;
  EXPECT_EQ(cudaStreamEndCapture(stream_[0], &graph), cudaErrorIllegalState);
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
            cudaErrorStreamCaptureUnsupported);
  begin();
  EXPECT_EQ(cudaStreamBeginCapture(stream_[0], cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
  std::thread([&] {
    EXPECT_EQ(cudaStreamEndCapture(stream_[0], &graph), cudaErrorStreamCaptureWrongThread);
  }).join();
  ok(cudaGraphExecDestroy(end_and_instantiate(0)));

  begin(cudaStreamCaptureModeRelaxed);
  std::thread([&] { ok(cudaStreamEndCapture(stream_[0], &graph)); }).join();
  ok(cudaGraphDestroy(graph));
}

TEST_F(Graphs, EventsOfACaptureThatHasEndedStandForNothing) {
  begin();
  ok(cudaEventRecord(event_[0], stream_[0]));
  ok(cudaGraphExecDestroy(end_and_instantiate(0)));
  EXPECT_EQ(cudaStreamWaitEvent(stream_[1], event_[0], 0), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaEventQuery(event_[0]), cudaErrorCapturedEvent);
  ok(cudaEventRecord(event_[0], stream_[0]));
  ok(cudaStreamWaitEvent(stream_[1], event_[0], 0));
}

TEST_F(Graphs, ACaptureEndsWithItsStream) {
  cudaStream_t stream;
  void* p;
  ok(cudaStreamCreate(&stream));
  ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  ok(cudaStreamDestroy(stream));
  ok(cudaMalloc(&p, 16));
  ok(cudaFree(p));
}

TEST_F(Graphs, WorkThatIsNotJoinedIsAnError) {
  begin();
  ok(cudaEventRecord(event_[0], stream_[0]));
  ok(cudaStreamWaitEvent(stream_[1], event_[0], 0));
  ok(note(1, stream_[1]));
  EXPECT_EQ(end(), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(status(stream_[1]), cudaStreamCaptureStatusNone);
}

TEST_F(Graphs, OnlyTheFirstStreamEndsACapture) {
  begin();
  ok(cudaEventRecord(event_[0], stream_[0]));
  ok(cudaStreamWaitEvent(stream_[1], event_[0], 0));
  cudaGraph_t graph;
  EXPECT_EQ(cudaStreamEndCapture(stream_[1], &graph), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Graphs, CapturesCannotBeMerged) {
  begin();
  ok(cudaStreamBeginCapture(stream_[1], cudaStreamCaptureModeGlobal));
  ok(cudaEventRecord(event_[0], stream_[0]));
  EXPECT_EQ(cudaStreamWaitEvent(stream_[1], event_[0], 0), cudaErrorStreamCaptureMerge);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  cudaGraph_t graph;
  EXPECT_EQ(cudaStreamEndCapture(stream_[1], &graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Graphs, TheDefaultStreamDoesNotMixWithABlockingOne) {
  begin();
  ok(note(1, nullptr));  // not ordered with the captured stream
  ok(cudaGraphExecDestroy(end_and_instantiate(0)));
  cudaStream_t blocking;
  ok(cudaStreamCreate(&blocking));
  ok(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed));
  EXPECT_EQ(note(1, nullptr), cudaErrorStreamCaptureImplicit);
  cudaGraph_t graph;
  EXPECT_EQ(cudaStreamEndCapture(blocking, &graph), cudaErrorStreamCaptureInvalidated);
  ok(cudaStreamDestroy(blocking));
  ok(cudaDeviceSynchronize());
}

TEST_F(Graphs, ModesSayWhoMayAllocate) {
  using M = cudaStreamCaptureMode;
  const auto allocate_here = [](M mode) {
    void* p = nullptr;
    EXPECT_EQ(cudaThreadExchangeStreamCaptureMode(&mode), cudaSuccess);
    const cudaError_t error = cudaMalloc(&p, 16);
    if (error == cudaSuccess) ok(cudaFree(p));
    EXPECT_EQ(cudaThreadExchangeStreamCaptureMode(&mode), cudaSuccess);
    return error;
  };
  const auto allocate_elsewhere = [&](M mode) {
    cudaError_t error = cudaErrorUnknown;
    std::thread([&] { error = allocate_here(mode); }).join();
    return error;
  };
  constexpr M kGlobal = cudaStreamCaptureModeGlobal;
  constexpr M kLocal = cudaStreamCaptureModeThreadLocal;
  constexpr M kRelaxed = cudaStreamCaptureModeRelaxed;
  struct Row {
    M capture, thread;
    bool here, elsewhere;  // allowed
  };
  // From the documentation of cudaThreadExchangeStreamCaptureMode.
  for (const Row& r : {Row{kGlobal, kGlobal, false, false}, Row{kGlobal, kLocal, false, true},
                       Row{kGlobal, kRelaxed, true, true}, Row{kLocal, kGlobal, false, true},
                       Row{kLocal, kLocal, false, true}, Row{kLocal, kRelaxed, true, true},
                       Row{kRelaxed, kGlobal, true, true}, Row{kRelaxed, kLocal, true, true}}) {
    for (const bool here : {true, false}) {
      begin(r.capture);
      const bool allowed = here ? r.here : r.elsewhere;
      EXPECT_EQ(here ? allocate_here(r.thread) : allocate_elsewhere(r.thread),
                allowed ? cudaSuccess : cudaErrorStreamCaptureUnsupported)
          << "capture " << r.capture << ", thread " << r.thread << ", here " << here;
      cudaGraph_t graph = nullptr;
      EXPECT_EQ(cudaStreamEndCapture(stream_[0], &graph),
                allowed ? cudaSuccess : cudaErrorStreamCaptureInvalidated);
      if (graph) ok(cudaGraphDestroy(graph));
    }
  }
}

}  // namespace
}  // namespace simt
