import type { Entry } from "./entry.ts";

export const PROGRAM: readonly Entry[] = [];
