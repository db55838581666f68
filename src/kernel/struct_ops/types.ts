/**
 * Kernel structs of function pointers that programs implement: who registers them and what their members must be like.
 *
 * Errors   of reg() and update(), thrown as BpfError: EINVAL members that are missing, EEXIST a taken name.
 * Source   kernel/bpf/bpf_struct_ops.c, net/ipv4/{bpf_tcp_ca,tcp_cong}.c, net/bpf/bpf_dummy_struct_ops.c.
 */
import { BpfError, EEXIST, EINVAL, ENOTSUPP, EOPNOTSUPP } from "../../abi/errno.ts";
import type { StructOps } from "./ops.ts";

export interface StructOpsType {
  /**
   * A member of the value before its functions are looked at, as bytes: true when that was all there is to it, false for
   * a function or a member that must be zero. @throws BpfError
   */
  initMember?(member: string, bytes: Uint8Array): boolean;
  /** The whole of it, before it is registered or ready. @throws BpfError */
  validate?(ops: StructOps): void;
  reg(ops: StructOps): void;
  unreg(ops: StructOps): void;
  /** Absent: EOPNOTSUPP. */
  update?(next: StructOps, old: StructOps): void;
}

/** Structs that the kernel's BTF may have but whose subsystem is not here. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  bpf_testmod_ops: "it belongs to a module",
  bpf_testmod_ops2: "it belongs to a module",
  sched_ext_ops: "there is no scheduler",
  hid_bpf_ops: "there are no HID devices",
  Qdisc_ops: "there are no queueing disciplines",
  smc_hs_ctrl: "there are no SMC sockets",
};

/** TCP_CONG_MASK. */
const TCP_CONG_MASK = 0x3;
const NAME = /^[\w.-]+$/;

/** Congestion controls by name; those of the kernel itself have no program. */
export class TcpCongestion implements StructOpsType {
  readonly #known = new Map<string, StructOps | undefined>([
    ["reno", undefined],
    ["cubic", undefined],
  ]);

  /** What a socket with this TCP_CONGESTION runs; undefined for the kernel's own and for unknown names. */
  find(name: string): StructOps | undefined {
    return this.#known.get(name);
  }

  /** net.ipv4.tcp_available_congestion_control. */
  get names(): readonly string[] {
    return [...this.#known.keys()];
  }

  initMember(member: string, bytes: Uint8Array): boolean {
    if (member === "flags") {
      const flags = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      if (flags & ~TCP_CONG_MASK)
        throw new BpfError(EINVAL, `tcp_congestion_ops: unknown flags 0x${flags.toString(16)}`);
      return true;
    }
    if (member !== "name") return false;
    const name = text(bytes);
    if (bytes.indexOf(0) < 0 || !NAME.test(name)) {
      throw new BpfError(EINVAL, `tcp_congestion_ops: name '${name}'; wanted 1 to 15 letters, digits and _ . -`, {
        name,
      });
    }
    return true;
  }

  /** tcp_validate_congestion_control() */
  validate(ops: StructOps): void {
    const missing = ["ssthresh", "undo_cwnd"].filter((m) => !ops.has(m));
    if (!ops.has("cong_avoid") && !ops.has("cong_control")) missing.push("cong_avoid or cong_control");
    if (missing.length) {
      throw new BpfError(EINVAL, `tcp_congestion_ops '${this.#name(ops)}' lacks ${missing.join(", ")}`, { missing });
    }
  }

  #name(ops: StructOps): string {
    return text(ops.member("name"));
  }

  reg(ops: StructOps): void {
    this.validate(ops);
    const name = this.#name(ops);
    if (this.#known.has(name))
      throw new BpfError(EEXIST, `congestion control '${name}' is registered already`, { name });
    this.#known.set(name, ops);
  }

  unreg(ops: StructOps): void {
    const name = this.#name(ops);
    if (this.#known.get(name) === ops) this.#known.delete(name);
  }

  /** tcp_update_congestion_control() */
  update(next: StructOps, old: StructOps): void {
    this.validate(next);
    const name = this.#name(next);
    if (this.#known.get(name) !== old) {
      throw new BpfError(EINVAL, `congestion control '${name}' does not replace '${this.#name(old)}'`, { name });
    }
    this.#known.set(name, next);
  }
}

/** Only for test runs. */
const dummyOps: StructOpsType = {
  initMember() {
    throw new BpfError(EOPNOTSUPP, "bpf_dummy_ops: it is for test runs, and is not registered", {});
  },
  reg() {
    throw new BpfError(EOPNOTSUPP, "bpf_dummy_ops: it is for test runs, and is not registered", {});
  },
  unreg() {},
};

/** The structs that a kernel knows; subsystems add theirs. */
export class StructOpsTypes {
  readonly tcpCongestion = new TcpCongestion();
  readonly #types = new Map<string, StructOpsType>([
    ["tcp_congestion_ops", this.tcpCongestion],
    ["bpf_dummy_ops", dummyOps],
  ]);

  register(struct: string, type: StructOpsType): void {
    this.#types.set(struct, type);
  }

  /** @throws ENOTSUPP */
  at(struct: string): StructOpsType {
    const type = this.#types.get(struct);
    if (type) return type;
    const why = UNSUPPORTED[struct] ?? "no subsystem takes it";
    throw new BpfError(ENOTSUPP, `struct_ops ${struct}: ${why}`, { struct });
  }
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
