/** The verdict of the self-check on its figures, and when it fails. */
import test from 'ava'
import { judge, type Row, type Target } from '../../perf/report/verdict.js'

const target: Target = { is: 'below', limit: 100, text: '< 100 us' }
const fast: Row = {
  metric: 'round trip',
  measured: '50.0 us',
  value: 50,
  target,
  of: 'speed',
  ratio: '0.50x',
}
const slow: Row = { ...fast, metric: 'slow round trip', measured: '150.0 us', value: 150 }
const untold: Row = { metric: 'p99', measured: '900.0 us', value: 900, of: 'speed' }
const lost: Row = {
  metric: 'reconnects',
  measured: '98.0 %',
  value: 98,
  target: { is: 'above', limit: 99, text: '> 99 %' },
  of: 'counts',
}
const judgesSpeed = true

const marks = (rows: readonly Row[], speed = true): (string | undefined)[] =>
  judge(rows, [], { judgesSpeed: speed }).cells.map((cells) => cells[3])

test('each row with a target says whether it is met', (t) => {
  t.deepEqual(marks([fast, slow, untold, lost]), ['yes', 'MISSED', '', 'MISSED'])
})

test('a target is met at its limit only if it says so', (t) => {
  const at = (is: Target['is']): Row => ({ ...fast, value: 100, target: { ...target, is } })
  t.deepEqual(marks([at('below'), at('above'), at('at least')]), ['MISSED', 'MISSED', 'yes'])
  t.deepEqual(marks([{ ...fast, value: NaN }]), ['MISSED'])
})

test('missed targets are named at the end, and do not fail the run', (t) => {
  const { lines, exitCode } = judge([fast, slow, lost], [], { judgesSpeed })
  t.is(exitCode, 0)
  t.deepEqual(lines, [
    '2 of the targets missed:',
    '  - slow round trip: 150.0 us, target < 100 us',
    '  - reconnects: 98.0 %, target > 99 %',
    'Times are those of this machine at this moment: a missed target does not fail the run.',
    'All counts, checksums and the ledger are right.',
  ])
})

test('a wrong count fails the run, however fast it was', (t) => {
  const { lines, exitCode } = judge([fast], ['9 of 10 replies'], { judgesSpeed })
  t.is(exitCode, 1)
  t.deepEqual(lines, ['FAILED:', '  - 9 of 10 replies'])
})

test('if all is well one line says so', (t) => {
  const { lines, exitCode } = judge([fast, untold], [], { judgesSpeed })
  t.is(exitCode, 0)
  t.deepEqual(lines, ['All counts, checksums and the ledger are right.'])
})

test('with few frames speed is not judged, but counts are', (t) => {
  t.deepEqual(marks([slow, lost], false), ['', 'MISSED'])
  const { lines } = judge([slow], [], { judgesSpeed: false })
  t.is(lines.filter((line) => line.includes('missed')).length, 0)
})
