import { describe, expect, test } from "vitest";
import { parseSetExpression } from "../../src/loader/set_expr.ts";

describe("parseSetExpression", () => {
  test.each([
    { text: "threshold=5", target: "threshold", path: [], value: 5 },
    { text: 'blocked["10.0.0.1"]=1', target: "blocked", path: ["10.0.0.1"], value: 1 },
    { text: "blocked[10.0.0.1] = 1", target: "blocked", path: ["10.0.0.1"], value: 1 },
    { text: "config.ports[2]=80", target: "config", path: ["ports", 2], value: 80 },
    {
      text: 'nets[{"prefixlen":8,"addr":"10.0.0.0"}]=1',
      target: "nets",
      path: [{ prefixlen: 8, addr: "10.0.0.0" }],
      value: 1,
    },
    { text: 'names["a]b=c"].x=true', target: "names", path: ["a]b=c", "x"], value: true },
    { text: "mac=02:00:00:00:00:01", target: "mac", path: [], value: "02:00:00:00:00:01" },
    { text: "big=18446744073709551615", target: "big", path: [], value: 18446744073709551615n },
    { text: "hex=0xff", target: "hex", path: [], value: 255 },
    { text: "neg=-1", target: "neg", path: [], value: -1 },
    { text: 'flow={"packets":1}', target: "flow", path: [], value: { packets: 1 } },
    { text: "m[[1,2]]=3", target: "m", path: [[1, 2]], value: 3 },
  ])("$text", ({ text, target, path, value }) => {
    expect(parseSetExpression(text)).toEqual({ target, path, value, text });
  });

  test.each([
    ["", "does not start with a name"],
    ["=5", "does not start with a name"],
    ["threshold", "has no '='"],
    ["threshold=", "has no value"],
    ["a[1=2", "'[' at character 2 is not closed"],
    ["a[]=2", "has an empty key"],
    ["a.=2", "no member name after '.' at character 2"],
    ["a b=2", "'b' at character 3 is not expected"],
  ])("'%s' is refused", (text, error) => {
    expect(() => parseSetExpression(text)).toThrow(`'${text}': ${error}; wanted NAME=VALUE`);
  });
});
