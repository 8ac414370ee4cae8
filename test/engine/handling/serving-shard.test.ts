/** What main has for a shard that serves a listener: what is left of it when the shard never began. */
import { once } from 'node:events'
import test from 'ava'
import { HandlerFailures } from '../../../engine/common/handler-failures.js'
import { systemClock } from '../../../engine/protocol/clock.js'
import { ServingShard } from '../../../engine/handling/serving-shard.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { Shard } from '../../../engine/shard/shard.js'

test('ports that no shard was given close at the end', async (t) => {
  t.timeout(10_000)
  const serving = new ServingShard({
    shard: { index: 0, generation: 1 } as unknown as Shard,
    kind: 'unix',
    endpoint: 'unix:x',
    failures: new HandlerFailures(systemClock, undefined),
    onLog: undefined,
    host: {},
    role: 'accepted',
  })
  const { host, api } = serving.ports
  const closed = Promise.all([once(host, 'close'), once(api, 'close')])
  serving.end(new TransportError('ERR_IO', 'no descriptor was left'))
  await closed
  t.pass()
})
