// The chart of a page. Its points are the rows of the page's own tables, so that what is drawn is what is written.
(() => {
  "use strict";
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#8a6d00"];
  const tables = new Map();
  for (const table of document.querySelectorAll("table.data")) {
    const columns = [...table.tHead.rows[0].cells].map((cell) => ({ name: cell.textContent, numeric: cell.dataset.kind === "number" || cell.dataset.kind === "integer" }));
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, cells: [...row.cells].map((cell) => cell.textContent) }));
    tables.set(table.dataset.name, { table, columns, rows });
    addCopyButton(table, columns, rows);
  }
  const section = document.getElementById("explore");
  if (!section) return;
  section.hidden = false;
  const chart = document.getElementById("chart");
  const tip = document.getElementById("tip");
  const field = (name) => section.querySelector(`[name=${name}]`);
  const [tableField, xField, yField, byField] = ["table", "x", "y", "by"].map(field);
  let plot = null;
  let drawn = [];

  function addCopyButton(table, columns, rows) {
    const button = document.createElement("button");
    button.textContent = "copy as CSV";
    button.addEventListener("click", () => {
      const quote = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
      const lines = [columns.map((column) => column.name), ...rows.filter((row) => !row.row.classList.contains("out")).map((row) => row.cells)];
      copy(lines.map((line) => line.map(quote).join(",")).join("\n") + "\n");
      button.textContent = "copied";
    });
    table.parentElement.before(button);
  }

  function copy(text) {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  function fill(select, names, chosen) {
    select.replaceChildren(...names.map((name) => new Option(name, name, name === chosen, name === chosen)));
  }

  function chooseTable(name, view) {
    const { columns, rows } = tables.get(name);
    const numeric = columns.filter((column, at) => column.numeric && rows.some((row) => row.cells[at] !== "")).map((column) => column.name);
    const words = columns.filter((column) => !column.numeric).map((column) => column.name);
    const all = columns.filter((column, at) => rows.some((row) => row.cells[at] !== "")).map((column) => column.name);
    const known = (column, list, other) => (list.includes(column) ? column : other);
    fill(xField, all, known(view.x, all, numeric[0]));
    fill(yField, numeric, known(view.y, numeric, numeric[1] ?? numeric[0]));
    fill(byField, ["", ...words, ...numeric], known(view.by, words, ""));
    draw();
  }

  function selected() {
    const { columns, rows } = tables.get(tableField.value);
    const at = (field) => columns.findIndex((column) => column.name === field.value);
    const [x, y, by] = [at(xField), at(yField), at(byField)];
    const wanted = field("filter").value.toLowerCase();
    const labels = [];
    const position = (cell) => {
      if (columns[x].numeric) return cell === "" ? NaN : Number(cell);
      if (!labels.includes(cell)) labels.push(cell);
      return labels.indexOf(cell);
    };
    const points = [];
    let filtered = 0;
    for (const row of rows) {
      const matches = wanted === "" || row.cells.some((cell) => cell.toLowerCase().includes(wanted));
      row.row.classList.toggle("out", !matches);
      row.row.classList.remove("hit");
      if (!matches) continue;
      filtered += 1;
      const point = { x: position(row.cells[x]), y: row.cells[y] === "" ? NaN : Number(row.cells[y]), by: by < 0 ? "rows" : row.cells[by], row, columns };
      const fits = (value, log) => Number.isFinite(value) && (!log || value > 0);
      if (fits(point.x, field("logx").checked && columns[x].numeric) && fits(point.y, field("logy").checked)) points.push(point);
    }
    return { points, filtered, total: rows.length, labels: columns[x].numeric ? null : labels };
  }

  function draw() {
    const { points, filtered, total, labels } = selected();
    points.sort((a, b) => a.x - b.x);
    drawn = points;
    const groups = [...new Set(points.map((point) => point.by))];
    const data = [points.map((point) => point.x), ...groups.map((group) => points.map((point) => (point.by === group ? point.y : null)))];
    const lines = field("lines").checked;
    const series = groups.map((group, at) => ({
      label: group === "" ? "-" : group,
      stroke: COLOURS[at % COLOURS.length],
      fill: undefined,
      spanGaps: true,
      paths: lines ? undefined : () => null,
      points: { show: true, size: 7, fill: COLOURS[at % COLOURS.length] },
    }));
    const log = (name) => (field(name).checked ? 3 : 1);
    const short = (u, values) => values.map((value) => (value === null ? "" : brief(value)));
    const named = (u, values) => values.map((value) => (Number.isInteger(value) ? labels[value] ?? "" : ""));
    plot?.destroy();
    plot = new uPlot(
      {
        width: Math.max(280, chart.clientWidth),
        height: 420,
        scales: { x: { time: false, distr: labels ? 1 : log("logx"), range: padded(labels ? false : field("logx").checked) }, y: { distr: log("logy"), range: padded(field("logy").checked) } },
        axes: [{ label: xField.value, values: labels ? named : short }, { label: yField.value, size: 70, values: short }],
        series: [{ label: xField.value }, ...series],
        legend: { live: false },
        cursor: { points: { show: false }, drag: { x: true, y: true, setScale: false } },
        hooks: { setSelect: [brushed] },
      },
      data,
      chart,
    );
    plot.over.addEventListener("mousemove", hover);
    plot.over.addEventListener("mouseleave", () => tip.classList.contains("pinned") || (tip.style.display = "none"));
    plot.over.addEventListener("click", () => tip.classList.toggle("pinned", tip.style.display === "block"));
    chart.dataset.points = points.length;
    chart.dataset.rows = total;
    const lost = filtered - points.length;
    field("count").textContent = `${points.length} points of ${total} rows` + (lost > 0 ? `; ${lost} have no such figure` : "");
  }

  // A little air around the outermost points.
  function padded(log) {
    return (u, low, high) => {
      if (low === null || high === null) return [log ? 1 : 0, log ? 10 : 1];
      // uPlot counts a log axis up from its end, and never arrives at the other one if that is no round number.
      if (log) return uPlot.rangeLog(low / 1.05, high * 1.05, 10, false);
      const air = (high - low || Math.abs(high) || 1) * 0.06;
      return [low >= 0 && low - air < 0 ? 0 - air / 4 : low - air, high + air];
    };
  }

  function brief(value) {
    const size = Math.abs(value);
    const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]];
    const step = steps.find(([least]) => size >= least);
    if (step) return `${Number((value / (step[1] === "k" ? 1e3 : step[0])).toPrecision(4))}${step[1]}`;
    return size !== 0 && size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(4)));
  }

  function hover(event) {
    if (tip.classList.contains("pinned")) return;
    const box = plot.over.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    for (const point of drawn) {
      const distance = Math.hypot(plot.valToPos(point.x, "x") - left, plot.valToPos(point.y, "y") - top);
      if (distance < 24 && (best === null || distance < best.distance)) best = { point, distance };
    }
    tip.style.display = best ? "block" : "none";
    if (!best) return;
    const lines = best.point.row.cells.map((cell, at) => (cell === "" ? null : `${best.point.columns[at].name}: ${cell}`));
    tip.textContent = lines.filter((line) => line !== null).slice(0, 24).join("\n");
    tip.style.left = `${Math.min(left + 80, chart.clientWidth - 260)}px`;
    tip.style.top = `${top + 20}px`;
  }

  // A brush keeps the rows inside it in the table below.
  function brushed(u) {
    const { left, top, width, height } = u.select;
    for (const point of drawn) {
      const inside = width < 3 && height < 3 ? null : between(u.valToPos(point.x, "x"), left, width) && between(u.valToPos(point.y, "y"), top, height);
      point.row.row.classList.toggle("hit", inside === true);
      point.row.row.classList.toggle("out", inside === false);
    }
    const hits = drawn.filter((point) => point.row.row.classList.contains("hit")).length;
    chart.dataset.brushed = hits;
    if (hits > 0) {
      field("count").textContent = `${hits} of ${drawn.length} points brushed; the table below shows them`;
      tables.get(tableField.value).table.closest("details").open = true;
    }
  }

  function between(value, start, length) {
    return value >= start && value <= start + length;
  }

  const drawable = [...tables].filter(([, { columns, rows }]) => rows.length > 0 && columns.filter((column) => column.numeric).length > 0).map(([name]) => name);
  if (drawable.length === 0) {
    section.hidden = true;
    return;
  }
  const view = section.dataset;
  fill(tableField, drawable, view.table);
  tableField.addEventListener("change", () => chooseTable(tableField.value, {}));
  for (const name of ["x", "y", "by", "logx", "logy", "lines"]) field(name).addEventListener("change", draw);
  field("filter").addEventListener("input", draw);
  field("reset").addEventListener("click", () => {
    field("filter").value = "";
    draw();
  });
  addEventListener("resize", () => plot?.setSize({ width: Math.max(280, chart.clientWidth), height: 420 }));
  addEventListener("beforeprint", () => plot?.setSize({ width: 640, height: 360 }));
  addEventListener("afterprint", () => plot?.setSize({ width: Math.max(280, chart.clientWidth), height: 420 }));
  field("lines").checked = view.lines === "true";
  field("logx").checked = view.logx === "true";
  chooseTable(tableField.value, view);
})();
