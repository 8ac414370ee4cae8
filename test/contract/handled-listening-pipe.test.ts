import { handledListening } from './handled-listening.js'
import { pipe } from './transports.js'

handledListening(pipe)
