import { describe, expect, test } from "vitest";
import { kconfigValue, kernelVersion } from "../../src/loader/kconfig.ts";
import { fixtureSpec } from "../object/fixture.ts";

const spec = fixtureSpec("externs");

function kconfigOf(config: string | undefined, release = "6.18.3-amd64"): DataView {
  const bytes = kconfigValue(spec, { release, config, syscallWrapper: true });
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe("values of .kconfig externs", () => {
  test("each type", () => {
    const v = kconfigOf(
      `# comment\nCONFIG_BPF=y\nCONFIG_MODULE_THING=m\nCONFIG_LETTER=n\nCONFIG_HZ=0x3e8\nCONFIG_HOSTNAME="(none)"\n`,
    );
    expect(v.getBigUint64(0, true)).toBe(1000n);
    expect(v.getUint32(8, true)).toBe(2);
    expect(v.getUint32(12, true)).toBe((6 << 16) + (18 << 8) + 3);
    expect([v.getUint16(16, true), v.getUint8(18), v.getUint8(19), v.getUint8(20)]).toEqual([
      0,
      1,
      "n".charCodeAt(0),
      1,
    ]);
    // cut to leave room for the NUL
    expect(new TextDecoder().decode(new Uint8Array(v.buffer, 21, 6))).toBe("(none\0");
  });

  test.each([
    {
      name: "strong and missing",
      config: "CONFIG_BPF=y",
      error: "extern 'CONFIG_HZ' (.kconfig): not resolved; wanted a value",
    },
    { name: "no configuration", config: undefined, error: "not resolved" },
    {
      name: "module for a bool",
      config: "CONFIG_HZ=1\nCONFIG_BPF=m",
      error: "value m for a variable of type bool; wanted a tristate or char variable",
    },
    {
      name: "text for an integer",
      config: 'CONFIG_HZ="x"\nCONFIG_BPF=y',
      error: 'value "x" for a variable of type int; wanted a char array',
    },
    {
      name: "nonsense",
      config: "CONFIG_HZ=12q\nCONFIG_BPF=y",
      error: "value 12q for a variable of type int; wanted an integer",
    },
    {
      name: "too large",
      config: "CONFIG_HZ=1\nCONFIG_BPF=y\nCONFIG_MISSING=40000",
      error: "value 40000 does not fit into 2 bytes: ERANGE",
    },
  ])("$name is an error", ({ config, error }) => {
    expect(() => kconfigOf(config)).toThrow(error);
  });

  test.each([
    ["6.18.0", 0x061200],
    ["5.10.300-1", 0x050aff],
    ["4.19-rc1", 0x041300],
  ])("version of %s", (release, version) => {
    expect(kernelVersion(release)).toBe(version);
  });
});
