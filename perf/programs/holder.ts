/**
 * Holds many idle connections, so that the runner can measure their memory and CPU from outside. It ends with its
 * runner.
 */
import '../harness/runner-end.js'
import net from 'node:net'
import { createEngine } from '../../api/index.js'
import { endpointAt } from '../harness/meeting-place.js'

interface HolderConfig {
  readonly stack: 'engine' | 'net'
  readonly role: 'dial' | 'accept'
  readonly path: string
  readonly count: number
}

const config = JSON.parse(process.argv[2] ?? '{}') as HolderConfig
const held: unknown[] = []

function say(kind: string, rssBytes = 0): void {
  process.send?.({ kind, rssBytes })
}

/** Resident memory once garbage is gone; the program runs with --expose-gc. */
async function residentBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage.rss()
}

async function holdWithEngine(): Promise<number> {
  const engine = await createEngine()
  const transport = engine.transport(endpointAt(config.path), { backlog: 4096 })
  if (config.role === 'accept') {
    await transport.listen((connection) => {
      held.push(connection)
      if (held.length === config.count) say('held')
    })
    return residentBytes()
  }
  const before = await residentBytes()
  while (held.length < config.count) {
    const batch = Math.min(100, config.count - held.length)
    held.push(...(await Promise.all(Array.from({ length: batch }, () => transport.connect()))))
  }
  return before
}

async function holdWithNet(): Promise<number> {
  if (config.role === 'accept') {
    const server = net.createServer((socket) => {
      held.push(socket)
      socket.on('error', () => undefined)
      if (held.length === config.count) say('held')
    })
    await new Promise<void>((resolve) => server.listen({ path: config.path, backlog: 4096 }, resolve))
    return residentBytes()
  }
  const before = await residentBytes()
  for (let i = 0; i < config.count; i++) {
    const socket = net.connect(config.path)
    socket.on('error', () => undefined)
    held.push(socket)
    if (i % 100 === 99) await new Promise((resolve) => socket.once('connect', resolve))
  }
  return before
}

const before = config.stack === 'engine' ? await holdWithEngine() : await holdWithNet()
say('before', before)
if (config.role === 'dial') say('held')

process.on('message', () => {
  void residentBytes().then((rssBytes) => {
    say('after', rssBytes)
  })
})
