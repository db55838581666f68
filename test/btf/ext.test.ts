import { describe, expect, it } from "vitest";
import { parseBtfExt } from "../../src/btf/ext.ts";
import { btfOf, sectionOf } from "./fixture.ts";

describe(".BTF.ext", () => {
  const btf = btfOf("core_local.o");
  const bytes = sectionOf("core_local.o", ".BTF.ext");
  const ext = parseBtfExt(bytes, btf);

  it("gives functions, lines and relocations by section", () => {
    expect([...ext.funcInfo.keys()]).toEqual(["raw_tp/sys_enter"]);
    expect(btf.nameOf(ext.funcInfo.get("raw_tp/sys_enter")![0].typeId)).toBe("prog");
    const lines = ext.lineInfo.get("raw_tp/sys_enter")!;
    expect(lines[1]).toMatchObject({ line: "\tout[n++] = (u64)&t->id;" });
    expect(lines[1].fileName).toMatch(/core_local\.c$/);
    const relos = ext.coreRelos.get("raw_tp/sys_enter")!;
    expect(relos).toHaveLength(32);
    expect(relos[3]).toEqual({ insnOff: 112, typeId: 5, accessStr: "0:3:2", kind: 0 });
  });

  it("an old header has no relocations", () => {
    const old = bytes.slice();
    new DataView(old.buffer).setUint32(4, 24, true);
    // The parts now start 8 bytes earlier, so move them there.
    old.copyWithin(24, 32);
    expect(parseBtfExt(old, btf).coreRelos.size).toBe(0);
  });

  const set = (off: number, value: number): Uint8Array => {
    const out = bytes.slice();
    new DataView(out.buffer).setUint32(off, value, true);
    return out;
  };
  it.each([
    ["magic", set(0, 0), ".BTF.ext: magic is 0x0, wanted 0xeb9f"],
    ["hdr_len", set(4, 8), ".BTF.ext: hdr_len is 8, wanted 24 to"],
    ["func_info offset", set(8, 2), ".BTF.ext: func_info offset is 2, wanted a multiple of 4"],
    ["line_info length", set(20, 0xfffffff), ".BTF.ext: line_info end is"],
    ["record size", set(32, 6), ".BTF.ext: func_info record size is 6, wanted at least 8, a multiple of 4"],
    ["section name", set(36, 0xffffff), ".BTF.ext: func_info section name string offset is 16777215"],
    ["count 0", set(40, 0), ".BTF.ext: func_info count of section 'raw_tp/sys_enter' is 0, wanted at least 1"],
    ["count", set(40, 1000), ".BTF.ext: func_info of section 'raw_tp/sys_enter' is 1000 records, wanted 8 bytes"],
    ["type id", set(48, 9999), ".BTF.ext: func_info type id is 9999, wanted below"],
    ["empty", new Uint8Array(3), ".BTF.ext: size is 3 bytes, wanted at least 24"],
  ])("%s", (_, data, message) => {
    expect(() => parseBtfExt(data, btf)).toThrow(message);
  });
});
