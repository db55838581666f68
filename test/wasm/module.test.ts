import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Code } from "../../src/wasm/code.ts";
import { LebBuffer } from "../../src/wasm/leb_buffer.ts";
import { ModuleBuilder } from "../../src/wasm/module.ts";
import { OP } from "../../src/wasm/opcodes.ts";
import { wasmText } from "../../src/wasm/text.ts";

const instantiate = (bytes: BufferSource, imports: WebAssembly.Imports = {}): Record<string, CallableFunction> =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as Record<string, CallableFunction>;

describe("LEB128", () => {
  test("known encodings", () => {
    const enc = (f: (b: LebBuffer) => void): number[] => {
      const b = new LebBuffer(1);
      f(b);
      return [...b.view()];
    };
    expect(enc((b) => b.u32(624485))).toEqual([0xe5, 0x8e, 0x26]);
    expect(enc((b) => b.u32(0xffffffff))).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
    expect(enc((b) => b.s32(-123456))).toEqual([0xc0, 0xbb, 0x78]);
    expect(enc((b) => b.s32(64))).toEqual([0xc0, 0x00]);
    expect(enc((b) => b.s64(0, -0x80000000))).toEqual([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
  });

  test("i64 constants come back", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (v) => {
        const m = new ModuleBuilder();
        const code = new Code(0);
        code.i64Halves(Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
        const f = m.func(m.type([], ["i64"]));
        m.body(f, code);
        m.export("f", "func", f);
        expect(instantiate(m.finish().bytes).f()).toBe(v);
      }),
    );
  });
});

describe("modules", () => {
  test("imports, table, memory, globals, data, elements, control flow", () => {
    const m = new ModuleBuilder();
    const binary = m.type(["i32", "i32"], ["i32"]);
    expect(m.type(["i32", "i32"], ["i32"])).toBe(binary);
    const host = m.importFunc("env", "mul", binary);
    m.memory({ min: 1 });
    m.table({ min: 4 });
    const counter = m.global("i32", true, 40);
    const sum = m.func(m.type(["i32"], ["i32"]), "sum");
    m.elements(2, [host]);
    m.data(8, new Uint8Array([1, 2, 3, 4]));
    m.export("sum", "func", sum);

    // sum of n bytes from address 8, plus the counter, times 2 through the table
    const code = new Code(1);
    const acc = code.local("i32");
    code.block();
    code.loop();
    code.get(0);
    code.op(OP.i32_eqz);
    code.brIf(1);
    code.get(0);
    code.i32(1);
    code.op(OP.i32_sub);
    code.tee(0);
    code.mem(OP.i32_load8_u, 8);
    code.get(acc);
    code.op(OP.i32_add);
    code.set(acc);
    code.br(0);
    code.end();
    code.end();
    code.globalGet(counter);
    code.get(acc);
    code.op(OP.i32_add);
    code.globalSet(counter);
    code.globalGet(counter);
    code.i32(2);
    code.i32(2);
    code.returnCallIndirect(binary);
    m.body(sum, code);
    const { bytes, codeStart } = m.finish();
    expect(instantiate(bytes, { env: { mul: Math.imul } }).sum(4)).toBe(100);
    expect(bytes[codeStart[sum]]).toBe(OP.block);
    expect(wasmText(bytes)).toMatchInlineSnapshot(`
      "(func $sum (param i32) (result i32)
        (local 1 i32)
        block
          loop
            local.get 0
            i32.eqz
            br_if 1
            local.get 0
            i32.const 1
            i32.sub
            local.tee 0
            i32.load8_u offset=8
            local.get 1
            i32.add
            local.set 1
            br 0
          end
        end
        global.get 0
        local.get 1
        i32.add
        global.set 0
        global.get 0
        i32.const 2
        i32.const 2
        return_call_indirect (param i32 i32) (result i32)
      )
      "
    `);
  });

  test("every atomic and memory instruction validates on a shared memory", () => {
    const m = new ModuleBuilder();
    m.importMemory("env", "memory", { min: 1, max: 2, shared: true });
    for (const [name, op] of Object.entries(OP)) {
      if (op < 0xfe10) continue;
      const code = new Code(0);
      code.i32(64);
      const type = name.startsWith("i32") ? "i32" : "i64";
      const operands = name.includes("cmpxchg") ? 2 : name.includes("_load") ? 0 : 1;
      for (let i = 0; i < operands; i++) type === "i32" ? code.i32(1) : code.i64(1);
      code.mem(op as typeof OP.i32_atomic_load);
      const f = m.func(m.type([], name.includes("store") ? [] : [type]), name);
      m.body(f, code);
      m.export(name, "func", f);
    }
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    const f = instantiate(m.finish().bytes, { env: { memory } });
    expect(f.i32_atomic_rmw_add()).toBe(0);
    expect(f.i64_atomic_load()).toBe(1n);
  });

  test("a body that ends inside a block is refused", () => {
    const m = new ModuleBuilder();
    const code = new Code(0);
    code.block();
    m.body(m.func(m.type([], [])), code);
    expect(() => m.finish()).toThrow("inside 1 blocks");
  });
});
