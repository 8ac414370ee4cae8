import type { ClosedInfo } from '../common/connection.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import type { LossReport } from './reconnecting-settings.js'

const NOTHING: DeliveryReport = { handedOver: 0, retained: [], unconfirmed: [], unsent: [], lost: 0 }

/** The report of a loss. `connection`: counted from 1; 0: there was none. */
export function lossReport(
  connection: number,
  { code, cause }: ClosedInfo,
  { isFinal, resent, dropped }: Pick<LossReport, 'isFinal' | 'resent' | 'dropped'>,
  { handedOver, retained, unconfirmed, lost }: DeliveryReport = NOTHING,
): LossReport {
  const sent = { handedOver, retained, unconfirmed, resent, dropped, lost }
  return { connection, code, cause, isFinal, ...sent, unreadDropped: 0 }
}
