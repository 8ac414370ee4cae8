/** Starts a child process and makes its stdin and stdout a connection. */
import type { LaneConnection, ConnectionIdentity } from '../connection/lane-connection.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ChildSettings } from './child.js'
import { nobodyCame, notAccepted, offerEnds } from './child-ends.js'
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
  const ends = offerEnds(endpoint)
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
    const dialled = await shard.dial(ends.target, options, identity, { ...control, onStarted })
    connection = dialled
    // What ends it before main has its ends leaves nobody to come.
    const over = dialled.ended.then(({ cause }) => {
      throw cause ?? (wait.givenUp ? nobodyCame(endpoint) : notAccepted(endpoint))
    })
    const [stdin, stdout] = await Promise.race([over, ends.take()])
    if (wait.givenUp) throw nobodyCame(endpoint)
    const child = await children.start(settings, stdin, stdout, endpoint, (cause) => {
      dialled.handlerFailed('stderr', 'the function for stderr', cause)
    })
    dialled.attachProcess(child)
    return dialled
  } catch (error) {
    connection?.destroy(error as Error)
    throw error
  } finally {
    ends.close()
  }
}
