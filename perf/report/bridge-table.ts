import { median, ratioOf } from '../harness/statistics.js'
import type { BridgeRow } from '../scenarios/bridge.js'
import { figure, table, times } from './table.js'

export function bridgeTable(rows: readonly BridgeRow[]): string {
  const head = ['over NATS', 'bytes', 'round trip, us', 'of NATS', 'frames/s', 'of NATS', 'counts']
  const cells = rows.map((row) => {
    const base = rows.find(({ bytes, contender }) => bytes === row.bytes && contender === 'NATS')
    const [trip, stream] = [median(row.roundTrips), median(row.streams)]
    return [
      row.contender,
      String(row.bytes),
      figure(trip),
      times(ratioOf(trip, base && median(base.roundTrips))),
      figure(stream, 0),
      times(ratioOf(stream, base && median(base.streams))),
      row.verified ? 'right' : 'WRONG',
    ]
  })
  return `${table(head, cells)}\n`
}
