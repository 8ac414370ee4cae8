/**
 * Holds many connections, so that the runner can measure their memory and CPU from outside: as they are, and once each
 * has carried a burst. It ends with its runner.
 */
import '../harness/runner-end.js'
import net from 'node:net'
import { createEngine, type Connection, type Engine } from '../../api/index.js'
import { fallbackOf } from '../harness/fallback.js'
import { endpointAt } from '../harness/meeting-place.js'
import type { FromHolder, HolderConfig, HolderOrder, Holding } from '../harness/messages.js'
import { residentMemory } from '../harness/resident-memory.js'
import { canCountResources, processResources } from '../harness/resource-counts.js'

const config = JSON.parse(process.argv[2] ?? '{}') as HolderConfig
const ANSWER = Buffer.from('x')
/** Of connections that begin, or carry their burst, at one time. */
const AT_ONCE = 100

/** All that is held, so that none of it is garbage: of each, what sends. */
const held: ((bytes: Buffer) => void)[] = []
let receivedBytes = 0
let answers = 0
let onAnswer: () => void = () => undefined

/** What the engine says of its memory. */
let ofEngine = (): Omit<Holding, 'rssBytes' | 'sharedBytes' | 'descriptors' | 'receivedBytes'> => ({
  reservedBytes: 0,
  ringBytes: 0,
  ringBytesInUse: 0,
})

function say(message: FromHolder): void {
  process.send?.(message)
}

/** Resident memory once garbage is gone; the program runs with --expose-gc. */
async function holding(): Promise<Holding> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const descriptors = canCountResources ? processResources().descriptors : undefined
  return { ...residentMemory(), descriptors, receivedBytes, ...ofEngine() }
}

function hold(send: (bytes: Buffer) => void): void {
  held.push(send)
  if (config.role === 'accept' && held.length === config.count) say({ kind: 'held' })
}

/** `own`: what this connection has brought, its framing included. */
function received(bytes: number, own: number, whole: number, send: (bytes: Buffer) => void): void {
  receivedBytes += bytes
  if (config.role === 'accept') {
    if (own === whole) send(ANSWER)
    return
  }
  answers++
  onAnswer()
}

function watchEngine(engine: Engine, connections: readonly Connection[]): void {
  ofEngine = () => {
    const { shards, spareRingMemoryBytes, sharedMemory } = engine.stats()
    return {
      reservedBytes: sharedMemory.reservedBytes,
      ringBytes: shards.reduce((sum, { ringMemoryBytes }) => sum + ringMemoryBytes, spareRingMemoryBytes),
      ringBytesInUse: shards.reduce((sum, { ringMemoryInUseBytes }) => sum + ringMemoryInUseBytes, 0),
      ...(config.transport === 'shm' ? { fallback: fallbackOf(engine, connections) } : {}),
    }
  }
}

async function holdWithEngine(): Promise<Holding> {
  const engine = await createEngine()
  const transport = engine.transport(endpointAt(config.path, config.transport), { backlog: 4096 })
  const connections: Connection[] = []
  watchEngine(engine, connections)
  const keep = (connection: Connection): void => {
    connections.push(connection)
    const send = (bytes: Buffer): void => void connection.send(bytes)
    connection.subscribe(
      (frame) => {
        received(frame.length, frame.length, config.burstBytes, send)
      },
      { borrow: true },
    )
    hold(send)
  }
  if (config.role === 'accept') {
    await transport.listen(keep)
    return holding()
  }
  const before = await holding()
  while (connections.length < config.count) {
    const batch = Math.min(AT_ONCE, config.count - connections.length)
    for (const connection of await Promise.all(Array.from({ length: batch }, () => transport.connect())))
      keep(connection)
  }
  return before
}

async function holdWithNet(): Promise<Holding> {
  const keep = (socket: net.Socket): void => {
    let own = 0
    const send = (bytes: Buffer): void => void socket.write(bytes)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      own += chunk.length
      received(chunk.length, own, config.burstBytes, send)
    })
    hold(send)
  }
  if (config.role === 'accept') {
    const server = net.createServer(keep)
    await new Promise<void>((resolve) => server.listen({ path: config.path, backlog: 4096 }, resolve))
    return holding()
  }
  const before = await holding()
  for (let i = 0; i < config.count; i++) {
    const socket = net.connect(config.path)
    keep(socket)
    if (i % AT_ONCE === AT_ONCE - 1) await new Promise((resolve) => socket.once('connect', resolve))
  }
  return before
}

/** Each connection sends its burst, and has its answer. */
async function burst(): Promise<void> {
  const bytes = Buffer.alloc(config.burstBytes, 'x')
  answers = 0
  for (let from = 0; from < held.length; from += AT_ONCE) {
    const some = held.slice(from, from + AT_ONCE)
    const answered = new Promise<void>((resolve) => {
      onAnswer = () => {
        if (answers === from + some.length) resolve()
      }
    })
    for (const send of some) send(bytes)
    await answered
  }
  say({ kind: 'answered' })
}

const before = config.stack === 'engine' ? await holdWithEngine() : await holdWithNet()
say({ kind: 'before', ...before })
if (config.role === 'dial') say({ kind: 'held' })

process.on('message', ({ kind }: HolderOrder) => {
  if (kind === 'burst') void burst()
  else
    void holding().then((after) => {
      say({ kind: 'after', ...after })
    })
})
