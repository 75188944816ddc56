// What a thread and a process know of the session. All zero until attach() and the first request.
#include "../image/call.h"

namespace btfuse {

__thread Thread thread __attribute__((tls_model("initial-exec"), visibility("hidden")));
__thread const uint32_t* btfuse_fd_table
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
Client client __attribute__((visibility("hidden")));

void forget_slots(Thread& self) {
  const uint32_t process = self.process;
  CloneFrame* more = self.more_vforks;
  self = Thread{};
  self.process = process;
  self.more_vforks = more;
}

}  // namespace btfuse
