import { describe, expect, test } from "vitest";
import { btfFromC } from "../../src/btf/c_parse.ts";
import { BTF_KIND_FUNC } from "../../src/btf/kinds.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { resolveKsyms } from "../../src/loader/externs.ts";
import { KernelTypes } from "../../src/loader/kernel_types.ts";
import { fixtureSpec } from "../object/fixture.ts";

const spec = fixtureSpec("externs");
const index = (name: string) => spec.externs.findIndex((e) => e.name === name);
const KERNEL = `
  struct task_struct { int pid; };
  struct task_struct *bpf_task_from_pid(int pid);
  void bpf_task_release(struct task_struct *p);
`;

function resolve(kernel: string, kallsyms?: (name: string) => bigint | undefined) {
  const btf = btfFromC(kernel);
  const types = new KernelTypes(new Kernel({ maxPages: 4096 }).spawn(), btf);
  return { btf, ...resolveKsyms(spec, types, kallsyms) };
}

describe("resolveKsyms", () => {
  test("kfuncs by name and prototype; weak ones that are missing stay unresolved", () => {
    const { btf, ksyms, fdArray } = resolve(KERNEL);
    const id = btf.byName("bpf_task_from_pid", BTF_KIND_FUNC);
    expect(ksyms[index("bpf_task_from_pid")]).toEqual({ kind: "btf", id, objFd: 0, fdArrayIdx: 0 });
    expect(ksyms[index("bpf_no_such_kfunc")]).toBeUndefined();
    expect(ksyms[index("weak_symbol")]).toBeUndefined();
    expect(fdArray).toEqual([]);
  });

  test("symbols without a type have an address", () => {
    const { ksyms } = resolve(KERNEL, (name) => (name === "weak_symbol" ? 0xffffffff81000000n : undefined));
    expect(ksyms[index("weak_symbol")]).toEqual({ kind: "address", address: 0xffffffff81000000n });
  });

  test.each([
    {
      name: "a kfunc that is not there",
      kernel: "int other(void);",
      error: "extern (func ksym) 'bpf_task_from_pid': not found in kernel or module BTFs: EINVAL",
    },
    {
      name: "another prototype",
      kernel: KERNEL.replace("(int pid)", "(int pid, int more)"),
      error: /extern \(func ksym\) 'bpf_task_from_pid': func_proto \[\d+\] incompatible with vmlinux \[\d+\]: EINVAL/,
    },
  ])("$name", ({ kernel, error }) => {
    expect(() => resolve(kernel)).toThrow(error);
  });
});
