/**
 * bpf(2) as bytes: BPF_OBJ_GET_INFO_BY_FD. The caller's struct says where arrays go and how many elements fit; what comes
 * back are the true numbers, so a first call learns them and a second one fetches the arrays.
 *
 * Length   a longer struct than the kernel knows must be zero behind it; a shorter one is filled as far as it goes, and
 *          info_len becomes the smaller of both.
 * Errors   EBADFD no such fd (this command's own), EINVAL no BPF object, EFAULT, ENOSPC a name that did not fit.
 */
import { BTF_INFO, INFO_BY_FD, MAP_INFO, PROG_INFO } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { cString } from "../../abi/cstring.ts";
import { EBADFD, EINVAL, ENOSPC, EPERM } from "../../abi/errno.ts";
import { fromHex } from "../../bytes/hex.ts";
import type { Fd } from "../fd.ts";
import { words } from "./attach.ts";
import { type Call, checkTail, NO_ADDRESSES, packNumbers } from "./call.ts";
import { type Command, command, refuse, type Unpacked } from "./command.ts";
import { linkInfo } from "./link_info.ts";
import { cut } from "./misc.ts";

export const INFO_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_OBJ_GET_INFO_BY_FD]: command(INFO_BY_FD, "info", (call, a) => {
    const obj = call.proc.fdTable.find(a.bpf_fd);
    if (!call.proc.fdTable.isOpen(a.bpf_fd)) return refuse(EBADFD, `process ${call.proc.pid} has no fd ${a.bpf_fd}`);
    const fill = obj && FILL[obj.kind];
    if (!fill) return refuse(EINVAL, `fd ${a.bpf_fd} is no BPF object`, { fd: a.bpf_fd });
    fill(new InfoCall(call, a), a.bpf_fd as Fd);
    return 0;
  }),
};

/** The caller's struct. */
export class InfoCall {
  readonly call: Call;
  readonly #addr: bigint;
  readonly #len: number;

  constructor(call: Call, a: Unpacked<typeof INFO_BY_FD>) {
    this.call = call;
    this.#addr = a.info;
    this.#len = a.info_len;
  }

  /** What the caller filled in, with zeros behind it. @param known  sizeof the struct @param checked  where its last member ends */
  given(known: number, checked = known): Uint8Array {
    checkTail(checked, this.#len, (off, n) => this.call.read(this.#addr + BigInt(off), n));
    const out = new Uint8Array(known);
    out.set(this.call.read(this.#addr, Math.min(this.#len, known)));
    return out;
  }

  answer(info: Uint8Array): void {
    const len = Math.min(this.#len, info.length);
    this.call.write(this.#addr, info.subarray(0, len));
    this.call.put(INFO_BY_FD, { info_len: len });
  }
}

const FILL: Readonly<Record<string, (info: InfoCall, fd: Fd) => void>> = {
  prog: progInfo,
  map: mapInfo,
  btf: btfInfo,
  link: linkInfo,
};

const HASH_BYTES = 32;

function mapInfo(info: InfoCall, fd: Fd): void {
  const given = MAP_INFO.unpack(info.given(MAP_INFO.size));
  const { call } = info;
  const m = call.proc.mapInfo(fd);
  if (given.hash_size || given.hash) {
    const map = call.proc.mapAt(fd);
    if (map.type !== abi.BPF_MAP_TYPE_ARRAY || given.hash_size !== HASH_BYTES) {
      refuse(EINVAL, `map '${m.name}': hash of ${given.hash_size} bytes; wanted ${HASH_BYTES} of an array`);
    }
    if (!map.frozen) refuse(EPERM, `map '${m.name}' is not frozen: it has no hash`);
    call.write(given.hash, map.valuesHash());
  }
  info.answer(
    packNumbers(MAP_INFO, {
      type: m.type,
      id: m.id,
      key_size: m.keySize,
      value_size: m.valueSize,
      max_entries: m.maxEntries,
      map_flags: m.mapFlags,
      name: m.name,
      ifindex: m.ifindex,
      btf_vmlinux_value_type_id: m.btfVmlinuxValueTypeId,
      btf_id: m.btfId,
      btf_key_type_id: m.btfId ? m.btfKeyTypeId : 0,
      btf_value_type_id: m.btfId ? m.btfValueTypeId : 0,
      map_extra: m.mapExtra,
      hash: Number(given.hash),
      hash_size: given.hash_size,
    }),
  );
}

const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;
const JITED_LINE_BYTES = 8;
const TAG_BYTES = 8;

function progInfo(info: InfoCall, fd: Fd): void {
  const bytes = info.given(PROG_INFO.size, PROG_INFO.endOf("attach_btf_id"));
  const g = PROG_INFO.unpack(bytes);
  const { call } = info;
  const p = call.proc.progInfo(fd);
  /** Copies as many of the elements as there is room for. */
  const array = (elements: Uint8Array, elementBytes: number, room: number, addr: bigint) => {
    const count = elements.length / elementBytes;
    if (room) call.write(addr, elements.subarray(0, Math.min(room, count) * elementBytes));
    return count;
  };
  const nr_map_ids = array(words(p.mapIds), 4, g.nr_map_ids, g.map_ids);
  checkRecSize("func_info", g.nr_func_info, g.func_info_rec_size, FUNC_INFO_BYTES);
  checkRecSize("line_info", g.nr_line_info, g.line_info_rec_size, LINE_INFO_BYTES);
  checkRecSize("jited_line_info", g.nr_jited_line_info, g.jited_line_info_rec_size, JITED_LINE_BYTES);
  const out = {
    type: p.type,
    id: p.id,
    load_time: p.loadTimeNs,
    created_by_uid: p.createdByUid,
    gpl_compatible: p.gplCompatible ? 1 : 0,
    name: p.name,
    nr_map_ids,
    func_info_rec_size: FUNC_INFO_BYTES,
    line_info_rec_size: LINE_INFO_BYTES,
    jited_line_info_rec_size: JITED_LINE_BYTES,
    run_time_ns: p.runTimeNs,
    run_cnt: p.runCnt,
    recursion_misses: p.recursionMisses ?? 0n,
    verified_insns: p.verifiedInsns,
    btf_id: p.btfId,
    jited_prog_len: 0,
    xlated_prog_len: 0,
    nr_jited_ksyms: 0,
    nr_jited_func_lens: 0,
    nr_func_info: 0,
    nr_line_info: 0,
    nr_jited_line_info: 0,
  };
  PROG_INFO.put(bytes, NO_ADDRESSES, out);
  bytes.set(fromHex(p.tag), PROG_INFO.offsetOf("tag_lo"));
  if (call.proc.caps.bpf) {
    // There is no machine code: engines run WebAssembly.
    const subprogs = call.proc.progAt(fd).subprogTags();
    if (g.xlated_prog_len) call.write(g.xlated_prog_insns, p.xlated.subarray(0, g.xlated_prog_len));
    PROG_INFO.put(bytes, NO_ADDRESSES, {
      xlated_prog_len: p.xlated.length,
      nr_jited_ksyms: array(new Uint8Array(8 * subprogs.length), 8, g.nr_jited_ksyms, g.jited_ksyms),
      nr_jited_func_lens: array(new Uint8Array(4 * subprogs.length), 4, g.nr_jited_func_lens, g.jited_func_lens),
      attach_btf_id: p.attachBtfId,
      attach_btf_obj_id: p.attachBtfObjId,
      nr_func_info: array(p.funcInfo, FUNC_INFO_BYTES, g.nr_func_info, g.func_info),
      nr_line_info: array(p.lineInfo, LINE_INFO_BYTES, g.nr_line_info, g.line_info),
      nr_prog_tags: array(fromHex(subprogs.join("")), TAG_BYTES, g.nr_prog_tags, g.prog_tags),
    });
  }
  info.answer(bytes);
}

/** set_info_rec_size(). */
function checkRecSize(what: string, count: number, recSize: number, wanted: number): void {
  if ((count || recSize) && recSize !== wanted) {
    refuse(EINVAL, `${what}: records of ${recSize} bytes; wanted ${wanted}`, { recSize });
  }
}

function btfInfo(info: InfoCall, fd: Fd): void {
  const g = BTF_INFO.unpack(info.given(BTF_INFO.size));
  const { call } = info;
  const b = call.proc.btfInfo(fd);
  call.write(g.btf, b.bytes.subarray(0, g.btf_size));
  if ((g.name === 0n) !== (g.name_len === 0)) refuse(EINVAL, `room of ${g.name_len} bytes for a name`);
  const name = cString(b.name);
  if (g.name) call.write(g.name, cut(name, g.name_len));
  info.answer(
    packNumbers(BTF_INFO, {
      btf: g.btf,
      btf_size: b.bytes.length,
      id: b.id,
      name: g.name,
      name_len: name.length - 1,
      kernel_btf: b.kernelBtf ? 1 : 0,
    }),
  );
  if (g.name && g.name_len < name.length) refuse(ENOSPC, `BTF name of ${name.length} bytes; room for ${g.name_len}`);
}
