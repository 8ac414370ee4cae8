/** Dials on one shard, a real thread. */
import { MessagePort } from 'node:worker_threads'
import test from 'ava'
import type { ConnectionIdentity } from '../../../engine/connection/connection-lane.js'
import { LoneLane } from '../../helpers/lone-connection.js'
import { OneShard } from '../../helpers/one-shard.js'
import { rejects } from '../../helpers/expected-errors.js'
import { randomName } from '../../helpers/temporary-folder.js'
import { turns } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

/** What is called on shards, in order, while `use` runs. */
async function callsDuring(use: () => void): Promise<string[]> {
  const calls: string[] = []
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its port
  const { postMessage } = MessagePort.prototype
  MessagePort.prototype.postMessage = function (this: MessagePort, message: unknown, ...rest: never[]) {
    calls.push(...((message as { readonly path?: readonly string[] }).path ?? []))
    Reflect.apply(postMessage, this, [message, ...rest])
  }
  try {
    use()
    await turns()
  } finally {
    MessagePort.prototype.postMessage = postMessage
  }
  return calls
}

test('a dial is aborted while it is under way, and not afterwards: its lane may be that of another by then', async (t) => {
  t.timeout(WATCHDOG_MS)
  const one = new OneShard()
  try {
    const { shard } = await one.boot()
    let abort = (): void => undefined
    const options = new LoneLane().settings
    const identity: ConnectionIdentity = {
      kind: 'memory',
      endpoint: 'memory:x',
      role: 'dialled',
      halfClose: true,
      hasDescriptor: false,
    }
    const onStarted = (stop: () => void): void => {
      abort = stop
    }
    const target = { kind: 'memory', name: randomName() } as const
    const dialling = rejects(t, shard.dial(target, options, identity, { onStarted, timeoutMs: 0 }), 'ERR_NOT_FOUND')
    t.deepEqual(await callsDuring(abort), ['abortDial'])
    await dialling
    t.deepEqual(await callsDuring(abort), [])
  } finally {
    await one.stop()
  }
})
