/** What the scenarios between processes make of the options that they share. */
import type { ContenderSettings } from '../harness/contender.js'
import { descriptorLimit, descriptorsEach, descriptorShortage } from '../harness/descriptor-limit.js'
import type { Transport } from '../harness/meeting-place.js'
import { programName } from '../options/program.js'
import type { Given } from '../../api/cli/options/option.js'
import type * as options from '../options/options.js'
import type { RunPlace } from './scenario.js'

/** Rounds of a scenario that is given none. */
export const DEFAULT_ROUNDS = 5

/** Of a row that counts what went wrong. */
export function allRight(rows: readonly { readonly wrong: number }[]): boolean {
  return rows.every((row) => row.wrong === 0)
}

/** Says so before anything is started. */
export function lacksDescriptors(connections: readonly number[], transports: readonly Transport[]): boolean {
  const each = Math.max(...transports.map((transport) => descriptorsEach[transport]))
  const shortage = descriptorShortage(Math.max(...connections), each, descriptorLimit())
  if (shortage !== undefined) console.error(`${programName()}: ${shortage}.`)
  return shortage !== undefined
}

export interface Contest extends ContenderSettings {
  readonly rounds: number
  readonly seconds: number | undefined
}

export function contest(
  { folder, progress }: RunPlace,
  given: Given<Pick<typeof options, 'rounds' | 'connections' | 'duration'> & typeof options.ofEngines>,
): Contest {
  const { rounds = DEFAULT_ROUNDS, connections = 1, duration: seconds, shards, wake, inline, pin } = given
  const pinTo = pin === undefined ? undefined : String(pin)
  return { folder, progress, rounds, seconds, connections, shards, wake, inlineWrites: inline, pinTo }
}
