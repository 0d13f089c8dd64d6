// A page with maps and nothing else that moves.

import { drawMaps } from "./map.js";

drawMaps();
