import type { Entry } from "./entry.ts";

export const ATTACH: readonly Entry[] = [];
