import { handledListening } from './handled-listening.js'
import { memory } from './transports.js'

handledListening(memory)
