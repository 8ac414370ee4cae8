/** Starts a child process and makes its stdin and stdout a connection. */
import type { LaneConnection, ConnectionIdentity } from '../connection/lane-connection.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ChildSettings } from './child.js'
import { notAccepted, offerStdio, startGivenUp } from './child-ends.js'
import type { Children } from './children.js'
import type { DialControl, Shard } from '../shard/shard.js'

/** Rejects with ERR_SPAWN or ERR_IO, or as `Shard.dial()` does. */
export async function dialChild(
  shard: Shard,
  settings: ChildSettings,
  options: ConnectionSettings,
  identity: ConnectionIdentity,
  control: DialControl,
  children: Children,
): Promise<LaneConnection> {
  const { endpoint } = identity
  const offer = offerStdio(endpoint)
  let connection: LaneConnection | undefined
  const wait = { givenUp: false }
  const onStarted = (stop: () => void): void => {
    control.onStarted(() => {
      wait.givenUp = true
      stop()
      connection?.destroy()
    })
  }
  try {
    const dialled = await shard.dial(offer.target, options, identity, { ...control, onStarted })
    connection = dialled
    // If it ends before main has its ends, the shard does not dial any more.
    const over = dialled.ended.then(({ cause }) => {
      throw cause ?? (wait.givenUp ? startGivenUp(endpoint) : notAccepted(endpoint))
    })
    const ends = await Promise.race([over, offer.take()])
    if (wait.givenUp) throw startGivenUp(endpoint)
    const onStderrFailure = (cause: unknown): void => dialled.handlerFailed('stderr', 'the function for stderr', cause)
    const child = await children.start(settings, ends, { endpoint, onStderrFailure })
    dialled.attachProcess(child)
    return dialled
  } catch (error) {
    connection?.destroy(error as Error)
    throw error
  } finally {
    offer.close()
  }
}
