"""The page's template, in jinja2: a module, so that what imports it is seen to depend on it, and a wheel holds it."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>vltune: the comparison</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: .9rem; }
  th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
  td small { display: block; color: #666; }
  figure { margin: 1rem 0; } figure img { width: 760px; max-width: 100%; height: auto; }
  figcaption, .note { color: #555; font-size: .9rem; }
  .missing { background: #fff4d6; padding: .6rem 1rem; border-left: 4px solid #e69f00; }
  .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 1rem; }
  .card { border: 1px solid #ddd; border-radius: 6px; padding: .7rem; display: flex; gap: .8rem; font-size: .85rem; line-height: 1.35; }
  .card img, .card .none { width: 112px; height: 112px; flex: none; object-fit: contain; }
  .card .none { background: #eee; color: #666; display: grid; place-items: center; text-align: center; }
  dl { margin: 0; display: grid; grid-template-columns: max-content 1fr; gap: .15rem .6rem; align-content: start; }
  dt { color: #666; } dd { margin: 0; }
  .reference { font-weight: 600; }
</style>
</head>
<body>
<h1>Which method should teach a language model to see?</h1>
<p>One frozen image encoder, one pretrained language model; each row trains something else of the language model. The connector
between the two is trained by every method and counted apart: the row that trains nothing of the decoder but the connector is the
control, and the last row is the aligned start that all others begin from. The images of this page were used for nothing else:
not for training, not for choosing a checkpoint.</p>
{% if missing %}
<p class="missing">Missing runs, left out: {{ missing | join(", ") }}.</p>
{% endif %}
{% for task in tasks %}
<h2>Quality: {{ task.name }}</h2>
<div class="wide">
<table>
<thead><tr><th>method</th><th>trained</th><th>share</th>{% for name in metrics %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in task.rows %}
<tr><td>{{ row.name }}</td><td>{{ row.trained }}</td><td>{{ row.share }}</td>
{%- for score in row.scores %}<td>{{ score.value }}<small>{{ score.low }} to {{ score.high }}</small></td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="note">Under each number its interval. {{ task.note }} CIDEr is not multiplied by 100.</p>
{% if task.verdict %}
<p>{{ task.verdict }}</p>
{% endif %}
{% endfor %}
<h2>CIDEr</h2>
<figure><img src="{{ charts.cider }}"
alt="Bar chart: CIDEr of every method with its bootstrap interval; the numbers stand in the table above">
<figcaption>Where two intervals overlap, these images alone do not settle which method is better.</figcaption></figure>
<h2>Quality against what is trained</h2>
<figure><img src="{{ charts.pareto }}"
alt="Scatter chart: CIDEr against the trained share of the decoder's parameters, on a log axis with a place for zero">
<figcaption>Up is better, left is cheaper to store. Left of the dotted line nothing of the decoder is trained.</figcaption></figure>
<h2>Training</h2>
<figure><img src="{{ charts.curves }}"
alt="Line chart: training loss of every method by step, with the validation losses as points">
<figcaption>The checkpoint that is reported is the one with the lowest validation loss.</figcaption></figure>
{% for task in tasks %}
<h2>Size and variety: {{ task.name }}</h2>
<div class="wide">
<table>
<thead><tr><th>method</th><th>connector</th><th>checkpoint MB</th><th>distinct-1</th><th>distinct-2</th><th>vocabulary</th>
<th>unique</th><th>novel</th><th>length</th></tr></thead>
<tbody>
{% for row in task.rows %}
<tr><td>{{ row.name }}</td><td>{{ row.connector }}</td><td>{{ row.megabytes }}</td>
{%- for number in row.diversity %}<td>{{ number }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
<p class="note">distinct-n: different n-grams as a share of all n-grams. Unique: different captions as a share of all. Novel: captions
that are not a reference of a training image. Length: words a caption.
Seconds, captions per second and memory differ from run to run, so they are not here: they stand in metrics/resources.csv.</p>
{% if task.cards %}
<h2>What they said: {{ task.name }}</h2>
<p class="note">{{ task.cards | length }} test images at equal distances in the list, not chosen by quality.
{% if licence %} Images: {{ licence }}.{% endif %}</p>
<div class="gallery">
{% for card in task.cards %}
<div class="card">
{% if card.thumbnail %}
<img src="{{ card.thumbnail }}" alt="Test image {{ card.name }}: {{ card.reference }}" width="112" height="112">
{% else %}
<div class="none">{{ card.name }}<br>is not here</div>
{% endif %}
<dl><dt>reference</dt><dd class="reference">{{ card.reference }}</dd>
{% for name, caption in card.captions.items() %}
<dt>{{ name }}</dt><dd>{{ caption or "(empty)" }}</dd>
{% endfor %}
</dl>
</div>
{% endfor %}
</div>
{% endif %}
{% endfor %}
</body>
</html>
"""
