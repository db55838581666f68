import { expect, test } from "vitest";
import { fixupLog } from "../../src/loader/log_fixup.ts";
import { lastWords } from "../../src/loader/prog_load.ts";
import { fixtureSpec } from "../object/fixture.ts";

const poisoned = [{ insnIdx: 4, relo: "<byte_off> [5] struct foo.bar (0:0 @ offset 0)", reason: "gone" }];

test.each([
  {
    name: "CO-RE relocation",
    log: "3: (b7) r1 = 1\n4: (85) call unknown#195896080\ninvalid func unknown#195896080\nprocessed 5 insns",
    wanted:
      "3: (b7) r1 = 1\n4: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <byte_off> [5] struct foo.bar (0:0 @ offset 0)\nprocessed 5 insns",
  },
  {
    name: "CO-RE relocation in a log without instructions",
    log: "invalid func unknown#195896080\nprocessed 5 insns",
    wanted:
      "4: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <byte_off> [5] struct foo.bar (0:0 @ offset 0)\nprocessed 5 insns",
  },
  {
    name: "map",
    log: "4: (85) call unknown#2001000000\ninvalid func unknown#2001000000\n",
    wanted: "4: <invalid BPF map reference>\nBPF map 'externs.kconfig' is referenced but wasn't created\n",
  },
  {
    name: "kfunc",
    log: "4: (85) call unknown#2002000008\ninvalid func unknown#2002000008\n",
    wanted: "4: <invalid kfunc call>\nkfunc 'bpf_no_such_kfunc' is referenced but wasn't resolved\n",
  },
  { name: "a helper that is really unknown", log: "invalid func unknown#999\n", wanted: "invalid func unknown#999\n" },
])("$name", ({ log, wanted }) => {
  expect(fixupLog(log, fixtureSpec("externs"), poisoned, 4)).toBe(wanted);
});

test("the last words of a log come before its statistics", () => {
  const log =
    "0: (95) exit\nR0 !read_ok\nverification time 12 usec\nstack depth 0\nprocessed 1 insns (limit 1000000)\n";
  expect(lastWords(log)).toBe("R0 !read_ok");
});
