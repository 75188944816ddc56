// /proc/self/exe of a static program names the launcher; the program must find itself there.
#pragma once
#include "../image/call.h"

namespace btfuse {

/**
 * Answers a call on the program's own /proc/self/exe with the program's file. False: the call is
 * about something else.
 */
bool redirect_own_exe(Call& call, Verdict& verdict);

}  // namespace btfuse
