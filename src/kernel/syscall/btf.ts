/** bpf(2) as bytes: BPF_BTF_LOAD. The log says what is wrong; Linux's lists the types before it. */
import { BTF_LOAD } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG } from "../../abi/errno.ts";
import { BTF_MAX_BYTES } from "../btf_cmds.ts";
import type { Fd } from "../fd.ts";
import type { Call } from "./call.ts";
import { type Command, checkFlags, command, refuse, type Unpacked } from "./command.ts";
import { checkLogRoom, type LogRoom, logNeeds, logTooShort, writeLog } from "./log.ts";

export const BTF_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_BTF_LOAD]: command(BTF_LOAD, "btf_token_fd", btfLoad),
};

function btfLoad(call: Call, a: Unpacked<typeof BTF_LOAD>): number {
  checkFlags("BTF", a.btf_flags, abi.BPF_F_TOKEN_FD);
  const token = a.btf_flags & abi.BPF_F_TOKEN_FD ? { tokenFd: a.btf_token_fd as Fd } : {};
  call.proc.mayLoadBtf(token.tokenFd);
  const { btf_size: size } = a;
  if (size > BTF_MAX_BYTES) refuse(E2BIG, `BTF of ${size} bytes; wanted at most ${BTF_MAX_BYTES}`, { size });
  const room: LogRoom = { level: a.btf_log_level, size: a.btf_log_size, addr: a.btf_log_buf };
  checkLogRoom(room);
  const finish = (log: string) => {
    const whole = writeLog(call, room, log);
    if (call.size >= BTF_LOAD.endOf("btf_log_true_size")) {
      call.put(BTF_LOAD, { btf_log_true_size: logNeeds(room, log) });
    }
    return whole;
  };
  let fd: Fd;
  try {
    fd = call.proc.btfLoad(call.read(a.btf, size), token);
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    const log = `${e.message}\n`;
    if (!finish(log)) logTooShort(room, log);
    throw e;
  }
  finish("");
  return fd;
}
