/** The protocol of systemd by which a process gets sockets from what has started it: sd_listen_fds(3). */
import process from 'node:process'
import { TransportError } from '../engine/protocol/errors.js'
import type { FdEndpoint } from './endpoint.js'

/** The first is always this. */
const FIRST_FD = 3
/** No service has so many sockets. */
const MOST_FDS = 1_024

/** The variables of the protocol. The last one came later; what it says of the process, its number says too. */
const variables = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']

let found: readonly FdEndpoint[] | undefined

/**
 * The sockets that systemd, or another program that does as it does, has started this process with, in its order: an
 * empty list if there are none. `name` is what `FileDescriptorName=` says, undefined if nothing does. The variables
 * that tell of them are taken out of `process.env`, so that no child takes them for its own; a second call returns the
 * same list. Call it on the main thread, in the process that was started: `npm start` and a shell are others.
 * @throws {TransportError} ERR_INVALID_ENDPOINT: the variables contradict the protocol
 */
export function activatedEndpoints(): readonly FdEndpoint[] {
  found ??= readVariables()
  return found
}

function readVariables(): readonly FdEndpoint[] {
  const [pid, fds, names] = variables.map((name) => process.env[name])
  // They may be left over from what started the process that has started this one.
  const endpoints = pid !== String(process.pid) || fds === undefined ? [] : readEndpoints(fds, names)
  for (const name of variables) Reflect.deleteProperty(process.env, name)
  return endpoints
}

function readEndpoints(fds: string, names: string | undefined): readonly FdEndpoint[] {
  const count = /^\d{1,4}$/.test(fds) ? Number(fds) : MOST_FDS + 1
  if (count > MOST_FDS) throw wrong(`LISTEN_FDS is ${JSON.stringify(fds)}, not a number up to ${String(MOST_FDS)}`)
  const listed = names === undefined ? undefined : names.split(':')
  if (listed !== undefined && listed.length !== count)
    throw wrong(`LISTEN_FDNAMES has ${String(listed.length)} names, and LISTEN_FDS is ${String(count)}`)
  return Array.from({ length: count }, (_, i) => ({ kind: 'fd', fd: FIRST_FD + i, name: listed?.[i] }))
}

function wrong(what: string): TransportError {
  return new TransportError('ERR_INVALID_ENDPOINT', `${what}. Check what has started this process.`)
}
