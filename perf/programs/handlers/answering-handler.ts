/** The handler module that is measured: it does in a shard what `engine-stack.ts` does on main. */
import type { Connection, HandlerContext } from '../../../api/index.js'
import { answerer, type Answering } from '../../harness/work.js'

type Answer = ReturnType<typeof answerer>

export function setup({ data }: HandlerContext<Answering>): Answer {
  return answerer(data)
}

export default function serve(connection: Connection, { state: answer }: HandlerContext<Answering, Answer>): void {
  connection.subscribe((frame) => void connection.send(answer(frame)), { borrow: true })
}
