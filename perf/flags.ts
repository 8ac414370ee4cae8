/**
 * The command line of `npm run perf`: which flags each scenario takes, what each may be, and what was given. Starts
 * nothing.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { framingKinds, type FramingKind } from '../engine/protocol/framing.js'
import { targetNames } from './chaos/plan.js'
import { transports } from './harness/meeting-place.js'
import { latencyTransports } from './scenarios/latency.js'

export const usage = `npm run perf -- latency|throughput|flood|http|idle|churn|pool|accepts|requests|handlers|chaos [flags]

  --sizes 64,1024       payload bytes, one table each (latency, requests: 64;
                        throughput: 64,1024,65536,1048576; flood: 256,65536; churn: 200000)
  --rounds 5            interleaved rounds; medians are shown (all but idle, churn and chaos)
  --count 10000         round trips, or frames, a round (throughput: default by size; flood: 2000;
                        http: requests, 20000; pool: acquires, 200000; accepts: connections, 10000;
                        requests: default by clients and size; handlers: round trips, and requests: 10000, and
                        what takes about a second)
  --clients 32          http: connections of the load (autocannon); churn and accepts: connections at
                        one time (1, 32); requests: a list of how many ask a server, one request at a
                        time each, one table each (1,10,100,1000)
  --rates 1,10,100      latency: open loop at so many round trips a second, besides the closed loop
  --transport unix      latency, throughput: unix, pipe (on Windows, the default there), or shm (shared memory,
                        not on Windows); latency also stdio (a child process, against child_process);
                        idle: one of the same, or a list, like unix,shm;
                        chaos: unix, stdio, memory, hosted, or some of them (all)
  --faults 1000         chaos: how many
  --seed N              chaos: repeats the faults of an earlier run (drawn, and printed)
  --framings line,nul   throughput: also the engine with these framings; churn: the engine with these (length)
  --connections 1       connections between the two processes (latency, throughput, http; pool: in the pool, 8;
                        idle: 10000; churn: one after the other, 10000; handlers: of the requests, 16)
  --shards N            shards of each engine (default: the engine's own; latency, throughput, flood, http,
                        requests; churn: 1; accepts: 1 and 2; handlers: a list for handler modules and
                        clusters: 1 and the number of CPUs)
  --work 0,50,500       handlers: microseconds of CPU that a request needs, one table each
  --wake POLICY         adaptive, park, or a number: microseconds of fixed spin (the same scenarios)
  --inline CHOICE       auto or never: whether main may write small frames itself (the same scenarios)
  --pin CPU             run everything on one CPU, by taskset (the same scenarios)
  --watch 30            idle: seconds over which CPU is counted;
                        chaos: seconds that one fault may take (60)
  --json FILE           figures and the machine's facts as JSON
  --help                this`

/** Reads a flag's value. @throws {Unfit} */
type Reader<T> = (text: string) => T

class Unfit extends Error {}

function integer(from: number, to: number): Reader<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (value >= from && value <= to) return value
    throw new Unfit(`one whole number from ${String(from)} to ${String(to)}`)
  }
}

function number(from: number, to: number): Reader<number> {
  return (text) => {
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN
    if (value >= from && value <= to) return value
    throw new Unfit(`one number from ${String(from)} to ${String(to)}`)
  }
}

function oneOf<const Name extends string>(names: readonly Name[]): Reader<Name> {
  return (text) => {
    const name = names.find((known) => known === text)
    if (name !== undefined) return name
    throw new Unfit(`one of ${names.join(', ')}`)
  }
}

function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (text) => {
    try {
      return text.split(',').map(read)
    } catch (error) {
      if (error instanceof Unfit) throw new Unfit(`a list like a,b of which each is ${error.message}`)
      throw error
    }
  }
}

function wakePolicy(text: string): 'adaptive' | 'park' | { readonly spinMicros: number } {
  if (text === 'adaptive' || text === 'park') return text
  try {
    return { spinMicros: integer(0, 1_000_000)(text) }
  } catch {
    throw new Unfit('adaptive, park, or microseconds from 0 to 1000000')
  }
}

function newFile(text: string): string {
  if (text !== '' && statSync(dirname(text), { throwIfNoEntry: false })?.isDirectory() === true) return text
  throw new Unfit('a file in a folder that is there')
}

/** Of the scenario `http`. */
export const DEFAULT_CLIENTS = 32
export const DEFAULT_REQUESTS = 20_000

/** Of the scenario `requests`: how many clients, one after the other. */
export const DEFAULT_CROWDS: readonly number[] = [1, 10, 100, 1_000]

/** Of the scenario `handlers`: each has one request at a time. */
export const DEFAULT_CONNECTIONS = 16

/** The largest frame that the measured engines take. */
const MOST_BYTES = 67_108_864
const sizes = list(integer(1, MOST_BYTES))
const rounds = integer(1, 10_000)
const count = integer(1, 100_000_000)
const connections = integer(1, 32_768)
const watch = number(0.1, 86_400)
const ofEngines = {
  shards: integer(1, 64),
  wake: wakePolicy,
  inline: oneOf(['auto', 'never']),
  pin: integer(0, 4_095),
}
const ofAll = { json: newFile }

/** Each scenario's flags. What is not here it does not take. */
const flagsOf = {
  latency: {
    ...ofAll,
    ...ofEngines,
    sizes,
    rounds,
    // Each round trip is kept until the round is over.
    count: integer(1, 10_000_000),
    rates: list(number(0.01, 1_000)),
    transport: oneOf(latencyTransports),
    connections,
  },
  throughput: {
    ...ofAll,
    ...ofEngines,
    sizes,
    rounds,
    count,
    framings: list(oneOf(framingKinds)),
    transport: oneOf(transports),
    connections,
  },
  flood: { ...ofAll, ...ofEngines, sizes, rounds, count: integer(1, 10_000_000) },
  http: { ...ofAll, ...ofEngines, rounds, count, clients: integer(1, 10_000), connections },
  idle: { ...ofAll, transport: list(oneOf(transports)), connections, watch },
  churn: {
    ...ofAll,
    sizes,
    connections: integer(1, 10_000_000),
    clients: integer(1, 1_000),
    shards: ofEngines.shards,
    framings: list(oneOf(framingKinds)),
  },
  pool: { ...ofAll, rounds, count, connections },
  accepts: {
    ...ofAll,
    rounds,
    count: integer(1, 1_000_000),
    clients: integer(1, 10_000),
    shards: ofEngines.shards,
    pin: ofEngines.pin,
  },
  requests: {
    ...ofAll,
    ...ofEngines,
    sizes,
    rounds,
    // How long each took is kept until the round is over.
    count: integer(1, 10_000_000),
    clients: list(integer(1, 10_000)),
  },
  handlers: {
    ...ofAll,
    ...ofEngines,
    rounds,
    count: integer(1, 10_000_000),
    connections: integer(1, 10_000),
    shards: list(ofEngines.shards),
    work: list(integer(0, 100_000)),
  },
  chaos: {
    ...ofAll,
    faults: integer(1, 1_000_000),
    seed: integer(0, 4_294_967_295),
    transport: list(oneOf(targetNames)),
    watch,
  },
} as const

export type Scenario = keyof typeof flagsOf

export type FlagsOf<Of extends Scenario> = {
  readonly [Flag in keyof (typeof flagsOf)[Of]]?: (typeof flagsOf)[Of][Flag] extends Reader<infer T> ? T : never
}

/** A scenario, and the flags that were given for it. */
export type CommandOf<Of extends Scenario> = {
  [Each in Of]: { readonly scenario: Each; readonly flags: FlagsOf<Each> }
}[Of]

export type Command = CommandOf<Scenario>

export type Parsed =
  | { readonly kind: 'help' }
  /** In one line. */
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'run'; readonly command: Command }

export const scenarios = Object.keys(flagsOf) as readonly Scenario[]

/** The flags that a scenario takes. */
export function flagNames(scenario: Scenario): readonly string[] {
  return Object.keys(flagsOf[scenario])
}

export function parseCommand(args: readonly string[]): Parsed {
  const known = new Set(scenarios.flatMap((name) => flagNames(name)))
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      ...Object.fromEntries([...known].map((name) => [name, { type: 'string' as const }])),
      help: { type: 'boolean' },
    },
  })
  const given = new Map<string, string>()
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    if (token.name === 'help') return { kind: 'help' }
    if (!known.has(token.name)) return wrong(`there is no flag ${token.rawName}`)
    if (given.has(token.name)) return wrong(`--${token.name} is given twice; many values are one list, like 1,2`)
    if (token.value === undefined || token.value.startsWith('--')) return wrong(`--${token.name} needs a value`)
    given.set(token.name, token.value)
  }
  const [word, surplus] = words
  if (word === undefined) return wrong(`name a scenario: ${scenarios.join(', ')}`)
  const scenario = scenarios.find((name) => name === word)
  if (scenario === undefined) return wrong(`there is no scenario ${word}; there are ${scenarios.join(', ')}`)
  if (surplus !== undefined) return wrong(`${surplus} is one word too many: flags begin with --`)
  return read(scenario, given)
}

function read(scenario: Scenario, given: ReadonlyMap<string, string>): Parsed {
  const readers: Readonly<Record<string, Reader<unknown> | undefined>> = flagsOf[scenario]
  const flags: Record<string, unknown> = {}
  for (const [name, text] of given) {
    const reader = readers[name]
    if (reader === undefined) {
      return wrong(`${scenario} takes no --${name}; it takes --${flagNames(scenario).join(', --')}`)
    }
    try {
      flags[name] = reader(text)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      return wrong(`--${name} ${text === '' ? "''" : text}: it is ${error.message}`)
    }
  }
  // Each value was read by its scenario's own reader, which the compiler cannot follow by name.
  const command = { scenario, flags } as Command
  const { asking, clients, count } = askedAndAsking(command)
  if (clients > count) {
    return wrong(`--${asking} ${String(clients)}: each needs a request of the ${String(count)} of --count`)
  }
  const unframed = unframeable(command)
  if (unframed !== undefined) return wrong(`--framings ${unframed}: shm carries the framing length alone`)
  return { kind: 'run', command }
}

/** A framing that was asked for and that the transport does not carry. */
function unframeable({ scenario, flags }: Command): FramingKind | undefined {
  if (scenario !== 'throughput' || flags.transport !== 'shm') return undefined
  return flags.framings?.find((framing) => framing !== 'length')
}

interface AskedAndAsking {
  /** The flag that says how many clients there are. */
  readonly asking: 'clients' | 'connections'
  readonly clients: number
  readonly count: number
}

/** Of the scenarios whose clients share a number of requests: the most clients, and the requests. */
function askedAndAsking({ scenario, flags }: Command): AskedAndAsking {
  switch (scenario) {
    case 'http': {
      const { clients = DEFAULT_CLIENTS, count = DEFAULT_REQUESTS } = flags
      return { asking: 'clients', clients, count }
    }
    case 'requests': {
      const { clients = DEFAULT_CROWDS, count = Infinity } = flags
      return { asking: 'clients', clients: Math.max(...clients), count }
    }
    case 'handlers': {
      const { connections: clients = DEFAULT_CONNECTIONS, count = Infinity } = flags
      return { asking: 'connections', clients, count }
    }
    default:
      return { asking: 'clients', clients: 0, count: 0 }
  }
}

function wrong(what: string): Parsed {
  return { kind: 'wrong', message: `npm run perf: ${what}. See npm run perf -- --help.` }
}
