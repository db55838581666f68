/**
 * Options of a UDP socket over IPv4: the values that getsockopt() and setsockopt() know without programs.
 *
 * Errors   ENOPROTOOPT no such option, or none that can be set; EOPNOTSUPP another level is read; EINVAL a value that is
 *          too short or out of range; EPERM a priority above 6 without CAP_NET_ADMIN, a mark without it.
 * Source   sk_setsockopt() and sk_getsockopt() in net/core/sock.c, do_ip_setsockopt() in net/ipv4/ip_sockglue.c.
 * Differs  they are kept and given back; only the stack's own packets could tell a difference, and it does not look at them.
 */
import { BpfError, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM } from "../../abi/errno.ts";

export const SOL_SOCKET = 1;
export const SOL_IP = 0;

interface Option {
  readonly name: string;
  readonly initial: number;
  /** Absent: it cannot be set. @returns what is kept, undefined = EINVAL */
  readonly set?: (value: number) => number | undefined;
  /** CAP_NET_ADMIN is wanted to set this. */
  readonly privileged?: (value: number) => boolean;
}

/** rmem_default, wmem_default and their maxima. */
const BUFFER_MAX = 212992;
const [MIN_RCVBUF, MIN_SNDBUF] = [2304, 4608];
const buffer = (name: string, min: number): Option => ({
  name,
  initial: BUFFER_MAX,
  // The kernel counts its own memory, too.
  set: (n) => Math.max(2 * (n >>> 0 > BUFFER_MAX ? BUFFER_MAX : n), min),
});
const flag = (name: string): Option => ({ name, initial: 0, set: (n) => (n ? 1 : 0) });
const DEFAULT_TTL = 64;

const OPTIONS: ReadonlyMap<string, Option> = new Map([
  [key(SOL_SOCKET, 2), flag("SO_REUSEADDR")],
  [key(SOL_SOCKET, 3), { name: "SO_TYPE", initial: 2 }],
  [key(SOL_SOCKET, 4), { name: "SO_ERROR", initial: 0 }],
  [key(SOL_SOCKET, 6), flag("SO_BROADCAST")],
  [key(SOL_SOCKET, 7), buffer("SO_SNDBUF", MIN_SNDBUF)],
  [key(SOL_SOCKET, 8), buffer("SO_RCVBUF", MIN_RCVBUF)],
  [key(SOL_SOCKET, 9), flag("SO_KEEPALIVE")],
  [key(SOL_SOCKET, 12), { name: "SO_PRIORITY", initial: 0, set: (n) => n, privileged: (n) => n < 0 || n > 6 }],
  [key(SOL_SOCKET, 36), { name: "SO_MARK", initial: 0, set: (n) => n, privileged: () => true }],
  [key(SOL_SOCKET, 38), { name: "SO_PROTOCOL", initial: 17 }],
  [key(SOL_SOCKET, 39), { name: "SO_DOMAIN", initial: 2 }],
  [key(SOL_IP, 1), { name: "IP_TOS", initial: 0, set: (n) => n & 0xff }],
  [
    key(SOL_IP, 2),
    {
      name: "IP_TTL",
      initial: DEFAULT_TTL,
      set: (n) => (n === -1 ? DEFAULT_TTL : n >= 1 && n <= 255 ? n : undefined),
    },
  ],
]);

const INT = 4;

export class SockOptions {
  readonly #values = new Map<Option, number>();

  /** @param netAdmin the caller has CAP_NET_ADMIN */
  set(level: number, optname: number, value: Uint8Array, netAdmin: boolean): void {
    const option = optionOf(level, optname);
    if (!option.set) throw new BpfError(ENOPROTOOPT, `${option.name} cannot be set`, { level, optname });
    const short = value.length < INT;
    if (short && level === SOL_SOCKET) {
      throw new BpfError(EINVAL, `${option.name}: ${value.length} bytes; wanted ${INT}`, { level, optname });
    }
    const number = short ? (value[0] ?? 0) : intAt(value);
    if (option.privileged?.(number) && !netAdmin)
      throw new BpfError(EPERM, `${option.name}: ${number} needs CAP_NET_ADMIN`, { level, optname });
    const kept = option.set(number);
    if (kept === undefined) throw new BpfError(EINVAL, `${option.name}: ${number}`, { level, optname });
    this.#values.set(option, kept);
  }

  /** @param room bytes that the caller has; options of IP fit one byte where there is no room for four */
  get(level: number, optname: number, room: number): Uint8Array {
    if (level !== SOL_SOCKET && level !== SOL_IP)
      throw new BpfError(EOPNOTSUPP, `nobody knows level ${level}`, { level, optname });
    const option = optionOf(level, optname);
    const number = this.#values.get(option) ?? option.initial;
    const bytes = new Uint8Array(Int32Array.of(number).buffer);
    if (level === SOL_IP && room > 0 && room < INT && number >= 0 && number <= 255) return bytes.subarray(0, 1);
    return bytes.subarray(0, Math.min(room, INT));
  }
}

function key(level: number, optname: number): string {
  return `${level} ${optname}`;
}

function optionOf(level: number, optname: number): Option {
  const option = OPTIONS.get(key(level, optname));
  if (!option) throw new BpfError(ENOPROTOOPT, `no option ${optname} at level ${level}`, { level, optname });
  return option;
}

function intAt(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
}
