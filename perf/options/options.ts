/** The options that scenarios share: the same name is read, and means, the same everywhere. */
import { framingKinds } from '../../engine/protocol/framing.js'
import { SOCKETS, transports } from '../harness/meeting-place.js'
import { option } from '../../api/cli/options/option.js'
import { integer, list, newFile, number, oneOf, wakePolicy } from '../../api/cli/options/reader.js'

/** The largest frame that the measured engines take. */
const MOST_BYTES = 67_108_864

export const sizes = option(list(integer(1, MOST_BYTES)), '64', 'payload bytes, one table each')
export const rounds = option(integer(1, 10_000), '5', 'interleaved rounds; medians are shown')
export const count = option(integer(1, 10_000_000), '10000', 'what is done in a round')
export const duration = option(number(0.01, 86_400), '1', 'seconds of a round, instead of --count')
export const connections = option(integer(1, 32_768), '1', 'connections between the two processes')
export const connectionCounts = option(list(integer(1, 32_768)), '1,100', 'how many connections, one table each')
export const clients = option(integer(1, 10_000), '32', 'connections under way at one time')
export const framing = option(list(oneOf(framingKinds)), 'line,nul', 'also the engine with these framings')
export const transport = option(oneOf(transports), SOCKETS, "what carries the engine's frames")
export const transportList = option(
  list(oneOf(transports)),
  SOCKETS,
  "what carries the engine's frames, one after the other",
)
export const shardCounts = option(list(integer(1, 64)), '1,2', 'shards of the engine, one after the other')
export const watch = option(number(0.1, 86_400), '30', 'seconds over which CPU is counted')

/** How the measured engines are set, and where everything runs. */
export const ofEngines = {
  shards: option(integer(1, 64), '2', "shards of each engine (default: the engine's own)"),
  wake: option(wakePolicy, 'park', 'adaptive, park, or a number: microseconds of fixed spin'),
  inline: option(oneOf(['auto', 'never']), 'never', 'auto or never: whether main writes small frames itself'),
  pin: option(integer(0, 4_095), '0', 'run everything on this one CPU, by taskset'),
}

/** Of every scenario. */
export const ofAll = {
  json: option(newFile, 'FILE', 'write the figures and the facts of the machine as JSON'),
}
