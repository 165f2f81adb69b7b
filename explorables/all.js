/** Everything the site's pages use. */
import "./attention-map.js";
import "./mask-builder.js";
import "./pos-encoding.js";
import "./progress.js";
import "./qk-explorer.js";
import "./quiz-item.js";
