/** Work that outlives its connection is remembered as long as it can settle, and no longer. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { OutlivingHandlers } from '../../../engine/core/outliving-handlers.js'
import { signal, turns, type Signal } from '../../helpers/turns.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

test('work is kept until it settles; work that nothing can settle any more is forgotten', async (t) => {
  t.timeout(10_000)
  const outliving = new OutlivingHandlers()
  const living: Signal<void> = signal()
  outliving.add(living.promise.then(() => undefined))
  for (let i = 0; i < 100; i++) outliving.add(signal().promise.then(() => undefined))
  while (outliving.size > 1) {
    collect()
    await turns()
  }
  collect()
  await turns(3)
  t.is(outliving.size, 1)
  t.is([...outliving].length, 1)
  living.resolve()
  await turns()
  t.is(outliving.size, 0)
})
