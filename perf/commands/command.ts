/** What a scenario of `npm run perf` is to the command line: it takes flags, measures, prints, and says how it went. */
import type { FlagsOf, Scenario } from '../flags.js'

export interface Outcome {
  /** Every count, checksum and ledger was right. */
  readonly right: boolean
  /** The figures, as `--json` writes them. */
  readonly reports: readonly unknown[]
}

/** `folder` is the run's own, and goes with it. */
export type RunScenario<Of extends Scenario> = (flags: FlagsOf<Of>, folder: string) => Promise<Outcome>

/** Rounds of a scenario that is given none. */
export const DEFAULT_ROUNDS = 5

/** Of a row that counts what went wrong. */
export function allRight(rows: readonly { readonly wrong: number }[]): boolean {
  return rows.every((row) => row.wrong === 0)
}

/** What the scenarios between two processes have in common. */
export function contest(
  folder: string,
  { rounds = DEFAULT_ROUNDS, connections = 1, shards, wake, inline, pin }: FlagsOf<'latency'>,
) {
  const pinTo = pin === undefined ? undefined : String(pin)
  return { folder, rounds, connections, shards, wake, inlineWrites: inline, pinTo }
}
