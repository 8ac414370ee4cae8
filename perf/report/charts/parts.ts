/** The parts of ECharts that page and pictures need. */
import { CustomChart, LineChart, ScatterChart } from 'echarts/charts'
import { GridComponent, TooltipComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

use([CustomChart, LineChart, ScatterChart, GridComponent, TooltipComponent, SVGRenderer])

export { init }
