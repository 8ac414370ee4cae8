/** Counts the work of everything else during a flood, in relation to the flood's bytes. */
import { frameOf } from '../helpers/frames.js'
import { turns, until } from '../helpers/turns.js'
import type { Contract } from './contract.js'

const TRIPS = 40

export function fairnessTests({ test }: Contract): void {
  for (const size of [64, 32_768]) {
    test(`a flood of ${String(size)} byte frames does not starve other connections, timers or immediates`, async (t, world) => {
      const { dialled, accepted } = await world.pair()
      const other = await world.pair()
      other.accepted.subscribe((request) => other.accepted.send(request), { borrow: true })
      let moved = 0
      accepted.subscribe((frame) => void (moved += frame.length + 4), { borrow: true })
      const frame = frameOf(size, 1)
      const flooding = new AbortController()
      const flood = (async () => {
        while (!flooding.signal.aborted) {
          // There is always more than one turn can take.
          while (dialled.pendingBytes < 1_048_576) dialled.send(frame)
          await turns()
        }
      })()
      await until(() => moved > 1_048_576)
      const before = moved
      let immediates = 0
      let timers = 0
      const immediate = (): void => {
        immediates++
        if (!flooding.signal.aborted) setImmediate(immediate)
      }
      const timer = (): void => {
        timers++
        if (!flooding.signal.aborted) setTimeout(timer, 1)
      }
      immediate()
      timer()
      // The flood never pauses. If it were served until it does, none of these would come back.
      // Where trips take next to no time, timers come due only after more of them.
      let trips = 0
      for (; trips < TRIPS || (timers < 3 && trips < 100 * TRIPS); trips++) {
        other.dialled.send(String(trips))
        t.is(String(await other.dialled.receive()), String(trips))
      }
      const during = moved - before
      const [immediatesThen, timersThen] = [immediates, timers]
      flooding.abort()
      await flood
      t.log(`${String(during)} bytes of flood, ${String(immediatesThen)} immediates, ${String(timersThen)} timers`)
      t.true(during > 0)
      t.true(immediatesThen >= trips, 'immediates ran')
      // A turn of the loop that runs immediates looks at timers too; one is due every millisecond.
      t.true(timersThen >= 3, 'timers ran')
      t.true(during / immediatesThen <= 1_048_576, 'a turn moves a bounded part of it')
      await world.finish(dialled)
      await accepted.closed
      t.is(moved, dialled.info.framesSent * (size + 4))
    })
  }
}
