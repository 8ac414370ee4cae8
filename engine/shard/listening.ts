/** Puts one listener onto every shard, whatever its transport needs for that, and takes it down again. */
import { fromSystemError, fromWireError } from '../shared/errors.js'
import type { TransportTarget } from '../shared/target.js'
import { bindForShards } from './binder-client.js'
import type { Shard } from './shard.js'
import { prepareSocketFile, type SocketFile } from './socket-file.js'

export interface ListenSettings {
  readonly endpoint: string
  readonly backlog: number
  /** Mode of the socket file. */
  readonly mode: number
  /** The most bytes that a socket path may have. */
  readonly pathLimit: number
}

/** A listener on its shards. */
export interface Listening {
  readonly hasFile: boolean
  close(): Promise<void>
}

export async function listenOn(
  shards: readonly Shard[],
  listenerId: number,
  target: TransportTarget,
  settings: ListenSettings,
): Promise<Listening> {
  const file =
    target.kind === 'unix' && !target.path.startsWith('\0')
      ? await prepareSocketFile(target.path, settings.mode, settings.pathLimit, settings.endpoint)
      : undefined
  const close = async (): Promise<void> => {
    await Promise.all(shards.map((shard) => shard.unlisten(listenerId)))
    await file?.remove()
  }
  try {
    const targets = await targetsFor(shards, target, file, settings.endpoint)
    const outcomes = await Promise.all(
      shards.map((shard, i) => shard.listen(listenerId, targets[i] ?? target, settings.backlog)),
    )
    for (const outcome of outcomes) if (!outcome.ok) throw fromWireError(outcome.error, settings.endpoint)
    await file?.publish()
  } catch (error) {
    await close()
    throw error
  }
  return { hasFile: file !== undefined, close }
}

/** One shard binds by itself; several each need a descriptor of their own, which only another process can make. */
async function targetsFor(
  shards: readonly Shard[],
  target: TransportTarget,
  file: SocketFile | undefined,
  endpoint: string,
): Promise<TransportTarget[]> {
  if (target.kind !== 'unix') return shards.map(() => target)
  const path = file?.bindPath ?? target.path
  if (shards.length === 1) return [{ ...target, path }]
  try {
    const descriptors = await bindForShards(path, shards.length)
    return descriptors.map((fd) => ({ ...target, fd }))
  } catch (error) {
    throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
  }
}
