/** The command line, called in this process. */
import { main } from "../../cli/main.ts";

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function cli(args: readonly string[], stdin = ""): Promise<CliResult> {
  let out = "";
  let err = "";
  const code = await main(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: async () => stdin,
    interactive: false,
    color: false,
    width: 100,
  });
  return { code, out, err };
}
