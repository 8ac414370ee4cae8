/**
 * Holds many idle connections, so that the runner can measure their memory and CPU from outside. It ends with its
 * runner.
 */
import '../harness/runner-end.js'
import net from 'node:net'
import { createEngine, type Connection } from '../../api/index.js'
import { fallbackOf } from '../harness/fallback.js'
import { endpointAt } from '../harness/meeting-place.js'
import type { FromHolder, HolderConfig, Holding } from '../harness/messages.js'
import { residentMemory } from '../harness/resident-memory.js'

const config = JSON.parse(process.argv[2] ?? '{}') as HolderConfig
/** All that is held, so that none of it is garbage. */
const held: unknown[] = []
/** What the engine says of shared memory. */
let shared = (): Pick<Holding, 'reservedBytes' | 'fallback'> => ({ reservedBytes: 0 })

function say(message: FromHolder): void {
  process.send?.(message)
}

/** Resident memory once garbage is gone; the program runs with --expose-gc. */
async function holding(): Promise<Holding> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { ...residentMemory(), ...shared() }
}

async function holdWithEngine(): Promise<Holding> {
  const engine = await createEngine()
  const transport = engine.transport(endpointAt(config.path, config.transport), { backlog: 4096 })
  const connections: Connection[] = []
  held.push(connections)
  if (config.transport === 'shm') {
    shared = () => ({
      reservedBytes: engine.stats().sharedMemory.reservedBytes,
      fallback: fallbackOf(engine, connections),
    })
  }
  if (config.role === 'accept') {
    await transport.listen((connection) => {
      connections.push(connection)
      if (connections.length === config.count) say({ kind: 'held' })
    })
    return holding()
  }
  const before = await holding()
  while (connections.length < config.count) {
    const batch = Math.min(100, config.count - connections.length)
    connections.push(...(await Promise.all(Array.from({ length: batch }, () => transport.connect()))))
  }
  return before
}

async function holdWithNet(): Promise<Holding> {
  if (config.role === 'accept') {
    const server = net.createServer((socket) => {
      held.push(socket)
      socket.on('error', () => undefined)
      if (held.length === config.count) say({ kind: 'held' })
    })
    await new Promise<void>((resolve) => server.listen({ path: config.path, backlog: 4096 }, resolve))
    return holding()
  }
  const before = await holding()
  for (let i = 0; i < config.count; i++) {
    const socket = net.connect(config.path)
    socket.on('error', () => undefined)
    held.push(socket)
    if (i % 100 === 99) await new Promise((resolve) => socket.once('connect', resolve))
  }
  return before
}

const before = config.stack === 'engine' ? await holdWithEngine() : await holdWithNet()
say({ kind: 'before', ...before })
if (config.role === 'dial') say({ kind: 'held' })

process.on('message', () => {
  void holding().then((after) => {
    say({ kind: 'after', ...after })
  })
})
