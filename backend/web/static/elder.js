// An elder's page: the trend and the map of the home.

import { drawCharts } from "./chart.js";
import { tick } from "./clock.js";
import { drawMaps } from "./map.js";

drawCharts();
drawMaps();
tick();
setInterval(tick, 1000);
