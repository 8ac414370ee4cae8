import { handledListening } from './handled-listening.js'
import { abstract } from './transports.js'

handledListening(abstract)
