/** What runs on a device: a dispatcher with its programs, one program alone, or nothing. */
import { BpfError, ENOENT } from "../../abi/errno.ts";
import { type Btf, parseBtf } from "../../btf/btf.ts";
import { BTF_KIND_DATASEC, BTF_KIND_VAR } from "../../btf/kinds.ts";
import type { Bpf, Fd, ProgInfo } from "../../kernel/bpf.ts";
import { type DispatcherConfig, decodeConfig, type SlotConfig } from "./config.ts";
import { modeAt, pinDir, type XdpHost, type XdpMode } from "./host.ts";

export interface ProgFacts {
  /** 0: of a dispatcher's program whose pin cannot be found. */
  readonly progId: number;
  /** In full, from its BTF. */
  readonly name: string;
  /** 16 hex digits. */
  readonly tag: string;
}

/** One program of a dispatcher. */
export interface Component extends ProgFacts {
  readonly config: SlotConfig;
}

export type XdpStatus =
  | { readonly kind: "none" }
  | ({ readonly kind: "single"; readonly mode: XdpMode } & ProgFacts)
  | ({
      readonly kind: "dispatcher";
      readonly mode: XdpMode;
      readonly frags: boolean;
      /** In the order in which they run. */
      readonly components: readonly Component[];
    } & ProgFacts);

/** @throws EINVAL no such device, or a dispatcher of another version */
export function xdpStatus(host: XdpHost, ifindex: number): XdpStatus {
  const there = modeAt(host, ifindex);
  if (!there) return { kind: "none" };
  const { bpf } = host;
  const { mode, progId } = there;
  return withFd(bpf, bpf.progGetFdById(progId), (fd) => {
    const info = bpf.progInfo(fd);
    const btf = btfOf(bpf, info);
    const facts = factsOf(info, btf);
    const config = btf && isDispatcher(btf) ? configOf(bpf, info) : undefined;
    if (!config) return { kind: "single", mode, ...facts };
    const dir = pinDir(host, ifindex, progId);
    const components = config.slots.map((slot, n) => ({ ...pinnedFacts(bpf, `${dir}/prog${n}-prog`), config: slot }));
    return { kind: "dispatcher", mode, frags: config.frags, components, ...facts };
  });
}

/** `xdp_metadata` has the variable dispatcher_version. */
function isDispatcher(btf: Btf): boolean {
  return btf.byName("xdp_metadata", BTF_KIND_DATASEC) !== 0 && btf.byName("dispatcher_version", BTF_KIND_VAR) !== 0;
}

/** The constant data of a dispatcher are its only map. */
function configOf(bpf: Bpf, { mapIds, name }: ProgInfo): DispatcherConfig {
  const [id] = mapIds;
  if (id === undefined) throw new BpfError(ENOENT, `dispatcher '${name}' has no configuration`, { name });
  return withFd(bpf, bpf.mapGetFdById(id), (fd) => decodeConfig(bpf.mapLookupElem(fd, new Uint8Array(4))));
}

/** Without its pin, or seen from another mount namespace, a program has no id and no name. */
function pinnedFacts(bpf: Bpf, path: string): ProgFacts {
  let fd: Fd;
  try {
    fd = bpf.objGet(path);
  } catch (e) {
    if (e instanceof BpfError && e.errno === ENOENT) return { progId: 0, name: "", tag: "" };
    throw e;
  }
  return withFd(bpf, fd, (opened) => progFacts(bpf, opened));
}

export function progFacts(bpf: Bpf, fd: Fd): ProgFacts {
  const info = bpf.progInfo(fd);
  return factsOf(info, btfOf(bpf, info));
}

function factsOf({ id, name, tag, funcInfo }: ProgInfo, btf: Btf | undefined): ProgFacts {
  const func = funcInfo.length >= 8 ? new DataView(funcInfo.buffer, funcInfo.byteOffset).getUint32(4, true) : 0;
  return { progId: id, name: (func && btf?.nameOf(func)) || name, tag };
}

function btfOf(bpf: Bpf, { btfId }: ProgInfo): Btf | undefined {
  if (btfId === 0) return undefined;
  return withFd(bpf, bpf.btfGetFdById(btfId), (fd) => parseBtf(bpf.btfInfo(fd).bytes));
}

/** The fd is closed after the body. */
export function withFd<T>(bpf: Bpf, fd: Fd, body: (fd: Fd) => T): T {
  try {
    return body(fd);
  } finally {
    bpf.close(fd);
  }
}
