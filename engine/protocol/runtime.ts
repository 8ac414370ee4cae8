/** Runtimes that say they are Node and lack parts of it. See docs/runtimes.md. */
import process from 'node:process'
import { TransportError } from './errors.js'

type Versions = Readonly<Record<string, string | undefined>>

/**
 * Whether threads can pass descriptors to each other. In Deno what is sent over an IPC pipe arrives without its
 * descriptor: a socket that main holds reaches no shard, and none of a shard's reaches main.
 */
export const passesDescriptors = process.versions['deno'] === undefined

/** @throws {TransportError} ERR_UNSUPPORTED_RUNTIME: no engine works here. */
export function assertRuntime(versions: Versions = process.versions): void {
  if (versions['bun'] === undefined) return
  throw new TransportError(
    'ERR_UNSUPPORTED_RUNTIME',
    `no engine works in Bun ${versions['bun']}: its worker threads and sockets lack what shards stand on. Run this program with Node 20.19 or later; the peer may be any program that speaks the framing.`,
  )
}

/** Of a socket that this process was started with. @throws {TransportError} ERR_UNSUPPORTED_RUNTIME */
export function assertPassesDescriptors(endpoint: string, passes = passesDescriptors): void {
  if (passes) return
  throw new TransportError(
    'ERR_UNSUPPORTED_RUNTIME',
    `listening on ${endpoint}: Deno passes no sockets between threads. Listen on a path, or run this program with Node.`,
    { endpoint },
  )
}

/** @throws {TransportError} ERR_UNSUPPORTED_RUNTIME */
export function assertServes(endpoint: string, serves = passesDescriptors): void {
  if (serves) return
  const message = `${endpoint}: Deno runs no handler modules. Leave handler out, and take the connections on this thread.`
  throw new TransportError('ERR_UNSUPPORTED_RUNTIME', message, { endpoint })
}
