/** The library's exports, and nothing else. */
export * as abi from "./abi/bpf.ts";
export { BpfError, ERRNO, type Errno, type ErrnoName, errnoName } from "./abi/errno.ts";
export { type Btf, parseBtf } from "./btf/btf.ts";
export { BtfBuilder } from "./btf/build.ts";
export { builtinBtf } from "./btf/builtin/index.ts";
export { type Codec, compileCodec, decodeValue, encodeValue } from "./btf/codec.ts";
export { dumpC } from "./btf/dump_c.ts";
export { dumpJson, dumpRaw } from "./btf/dump_raw.ts";
export { type Elf, readElf } from "./elf/elf.ts";
export type { EngineName, Runnable } from "./interp/image.ts";
export { RunFault } from "./interp/image.ts";
export { assemble } from "./isa/assemble.ts";
export { decode, encode } from "./isa/codec.ts";
export { type DisasmOptions, type DisasmStyle, disasm, disasmInsn } from "./isa/disasm.ts";
export type { Insns } from "./isa/insns.ts";
export { AsmError } from "./isa/tokens.ts";
export type * from "./kernel/bpf.ts";
export { VerifierError } from "./kernel/bpf.ts";
export { type ExecOptions, type ExecResult, execProgram } from "./kernel/exec.ts";
export { Kernel, type KernelOptions } from "./kernel/kernel.ts";
export type { Process } from "./kernel/process.ts";
export { UserBuffers, type UserMemory } from "./kernel/syscall/user_memory.ts";
export { type AttachOptions, BpfLink } from "./loader/attach.ts";
export { attachXdp, detachXdp, replaceXdp, type XdpAttachOptions } from "./loader/dispatcher/dispatcher.ts";
export { hostOptions, type XdpDevices, type XdpHost, type XdpMode } from "./loader/dispatcher/host.ts";
export type { XdpProgram } from "./loader/dispatcher/order.ts";
export {
  actionMask,
  actionNames,
  type RunConfig,
  runConfigOf,
  type XdpActionName,
} from "./loader/dispatcher/run_config.ts";
export { type Component, type XdpStatus, xdpStatus } from "./loader/dispatcher/status.ts";
export { type LoadedSet, XdpSet } from "./loader/dispatcher/xdp_set.ts";
export { EventReader } from "./loader/events.ts";
export { loadAlone, type Verdict } from "./loader/load_alone.ts";
export { LocalMaps } from "./loader/local_maps.ts";
export { BpfMap } from "./loader/map.ts";
export { BpfObject, type LoadOptions, type OpenOptions, openObject } from "./loader/object.ts";
export { BpfProg } from "./loader/prog.ts";
export { type Batch, type BatchOptions, type BatchPacket, openBatch } from "./net/batch.ts";
export { CaptureReader, readCapture } from "./net/capture/reader.ts";
export {
  type CapturedPacket,
  type CaptureInterface,
  type PacketStamp,
  stampNs,
  stampOf,
} from "./net/capture/types.ts";
export { type CaptureWriter, captureWriter, pcapngWriter } from "./net/capture/writer.ts";
export { createKernel, type NetKernel } from "./net/create.ts";
export type { DeviceOptions, DeviceStats, NetDevice } from "./net/device.ts";
export type { Net } from "./net/net.ts";
export type { Route } from "./net/route.ts";
export type { Socket, SocketSpec } from "./net/sock.ts";
export type { Endpoint } from "./net/socket/inet.ts";
export type { Datagram } from "./net/socket/udp.ts";
export { type SocketKind, SocketView } from "./net/socket/view.ts";
export { XdpDeviceView } from "./net/xdp_set.ts";
export { openSpec } from "./object/open.ts";
export type * from "./object/spec.ts";
export type { ComplexityReport, Explanation, PathStep } from "./verifier/explain/explanation.ts";
