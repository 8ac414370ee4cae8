import { once } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import test from 'ava'
import * as Comlink from 'comlink'
import { TransportError } from '../../../engine/protocol/errors.js'
import { ControlClient } from '../../../engine/shard/control-client.js'

function create(shard: object) {
  const { port1, port2 } = new MessageChannel()
  let calls = 0
  const client = new ControlClient(port1, () => {
    calls++
  })
  Comlink.expose(shard, port2)
  return { client, port1, port2, calls: () => calls }
}

/** Node has it, and its types do not. */
function isReferenced(port: MessagePort): boolean {
  return (port as MessagePort & { hasRef(): boolean }).hasRef()
}

const lost = new TransportError('ERR_SHARD_LOST', 'died')

test('a call settles as the shard answers, and keeps the process alive until then', async (t) => {
  const { client, port1, port2, calls } = create({ collectGarbage: () => true })
  t.false(isReferenced(port1))
  const call = client.call('collectGarbage')
  t.deepEqual([calls(), client.pendingCalls, isReferenced(port1)], [1, 1, true])
  t.true(await call)
  t.deepEqual([client.pendingCalls, isReferenced(port1)], [0, false])
  client.lose(lost)
  port2.close()
})

test('an error that the shard throws rejects the call', async (t) => {
  const { client, port2 } = create({
    ping: () => {
      throw new Error('not now')
    },
  })
  await t.throwsAsync(client.call('ping'), { message: 'not now' })
  t.is(client.pendingCalls, 0)
  client.lose(lost)
  port2.close()
})

test('the loss of the shard rejects pending calls and later ones, and closes the port', async (t) => {
  const { client, port2, calls } = create({ ping: () => new Promise(() => undefined) })
  const pending = [client.call('ping'), client.call('ping')]
  const closed = once(port2, 'close')
  client.lose(lost)
  for (const call of pending) t.is(await t.throwsAsync(call), lost)
  t.is(await t.throwsAsync(client.call('ping')), lost)
  await t.notThrowsAsync(client.announce('ping'))
  t.deepEqual([client.pendingCalls, calls()], [0, 4])
  await closed
})
