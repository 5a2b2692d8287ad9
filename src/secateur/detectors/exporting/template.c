$head
#ifndef ${M}_DECLARED
#define ${M}_DECLARED
#include <stdint.h>

#define ${M}_CHANNELS $channels
#define ${M}_SECTIONS $sections
#define ${M}_BLOCKS $blocks
#define ${M}_THRESHOLD $threshold

typedef struct {
    double filter[${M}_CHANNELS][2 * ${M}_SECTIONS];
//@if running
    double spread[${M}_CHANNELS];    /* its logarithm, microvolts */
    int32_t second;                  /* whole seconds so far, up to $memory_seconds */
    int32_t in_second;
    float gain[${M}_CHANNELS];
    float sizes[${M}_CHANNELS][$per_second];
//@end
    int32_t begun;
    int32_t wait;                    /* samples until the next probability */
    int32_t newest;                  /* where in `features` the next one goes */
    int32_t filled[${M}_BLOCKS];     /* inputs that each block's kernels have before them */
    int32_t pooled[${M}_BLOCKS];     /* outputs that each block's maximum has seen */
    $T memory[$memory];
    $T features[$features][$width];
} ${N}_state;

/* Begin: before the first sample its value is taken to have stood for ever. */
void ${N}_init(${N}_state *state);

/* Take one sample of each channel, in microvolts. Returns 1 when *probability is new, 0 when not, and
   -1, with nothing changed, where a sample is no finite number. */
int ${N}_step(${N}_state *state, const float x[${M}_CHANNELS], float *probability);

/* Smoothing and hysteresis over the probabilities. `on`: whether there is an alarm. */
typedef struct {
    float last[$smoothed];
    int32_t seen;
    int32_t next;
    int32_t on;
} ${N}_alarm;

void ${N}_alarm_init(${N}_alarm *alarm);

/* Take in a new probability; returns 1 while the alarm is on, 0 while it is off. */
int ${N}_alarm_step(${N}_alarm *alarm, float probability);
#endif


#ifndef ${M}_DECLARATIONS_ONLY
#include <math.h>
#include <string.h>


$chain_arrays

/* One channel through all second-order sections (transposed direct form II), in double: at a low edge of
   a fraction of a hertz, float would lose the signal. */
static float ${N}_filter(double *state, double value)
{
    int k;
    for (k = 0; k < ${M}_SECTIONS; k++) {
        const double *c = ${N}_sections[k];
        double out = c[0] * value + state[2 * k];
        state[2 * k] = c[1] * value - c[3] * out + state[2 * k + 1];
        state[2 * k + 1] = c[2] * value - c[4] * out;
        value = out;
    }
    return (float)value;
}

static void ${N}_settle(double *state, double level)
{
    int k;
    for (k = 0; k < ${M}_SECTIONS; k++) {
        const double *c = ${N}_sections[k];
        double out = level * (c[0] + c[1] + c[2]) / (1.0 + c[3] + c[4]);
        state[2 * k] = out - c[0] * level;
        state[2 * k + 1] = c[2] * level - c[4] * out;
        level = out;
    }
}

//@if running
static float ${N}_scale(${N}_state *state, int channel, float value)
{
    state->sizes[channel][state->in_second] = fabsf(value);
    return value * state->gain[channel];
}

/* Sorted in place (Shell's way), so that no memory is needed beside it. */
static float ${N}_median(float *values, int count)
{
    int gap = 1, i, j;
    while (gap < count / 3) gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3) {
        for (i = gap; i < count; i++) {
            float value = values[i];
            for (j = i; j >= gap && values[j - gap] > value; j -= gap) values[j] = values[j - gap];
            values[j] = value;
        }
    }
    if (count % 2) return values[count / 2];
    return (values[count / 2 - 1] + values[count / 2]) * 0.5f;
}

/* The spread in use is moved at the end of each whole second, on the logarithm of a median. */
static void ${N}_end_sample(${N}_state *state)
{
    int channel;
    double weight;
    if (++state->in_second < $per_second) return;
    state->in_second = 0;
    weight = $prior + state->second + 1;
    if (weight > $memory_seconds) weight = $memory_seconds;
    for (channel = 0; channel < ${M}_CHANNELS; channel++) {
        double middle = $to_deviation * (double)${N}_median(state->sizes[channel], $per_second);
        double gap;
        if (middle < $flat) continue; /* a disconnected electrode says nothing of the EEG to come */
        gap = log(middle) - state->spread[channel];
        if (gap > $reach) gap = $reach;
        if (gap < -$reach) gap = -$reach;
        state->spread[channel] += gap / weight;
        state->gain[channel] = (float)exp(-state->spread[channel]);
    }
    if (state->second < $memory_seconds) state->second++;
}
//@end
//@if training_set
static float ${N}_scale(${N}_state *state, int channel, float value)
{
    (void)state;
    return (value - ${N}_mean[channel]) * ${N}_gain[channel];
}
//@end

typedef struct {
    const $W *weights;   /* kernels x size x channels */
    const $A *bias;
//@if int8 int8_weights
    const float *scale;
//@end
    int at;              /* where its inputs begin in the state's memory */
    int channels, size, count, kernels, stride, pool, relu;
//@if int8
    int zero;            /* the integer that stands for 0 */
//@end
} ${N}_layer;

$layer_arrays

//@if float
static float ${N}_finish(const ${N}_layer *layer, int k, float sum)
{
    float value = sum + layer->bias[k];
    return layer->relu && value < 0.0f ? 0.0f : value;
}
//@end
//@if int8_weights
static float ${N}_finish(const ${N}_layer *layer, int k, float sum)
{
    float value = sum * layer->scale[k] + layer->bias[k];
    return layer->relu && value < 0.0f ? 0.0f : value;
}
//@end
//@if int8
static uint8_t ${N}_bits(float value, int zero)
{
    value = rintf(value) + (float)zero;
    return (uint8_t)(value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value);
}

static uint8_t ${N}_finish(const ${N}_layer *layer, int k, int32_t sum)
{
    uint8_t value = ${N}_bits((float)(sum + layer->bias[k]) * layer->scale[k], layer->zero);
    return layer->relu && value < layer->zero ? (uint8_t)layer->zero : value;
}
//@end

/* Scalar products of x with every row of weights, four rows at a time: each x is read once for four. */
static void ${N}_rows(const ${N}_layer *layer, const $T *x, $T *out)
{
    int k, i, count = layer->count;
    for (k = 0; k + 4 <= layer->kernels; k += 4) {
        const $W *a = layer->weights + (long)k * count;
        const $W *b = a + count, *c = b + count, *d = c + count;
        $A p = 0, q = 0, r = 0, s = 0;
        for (i = 0; i < count; i++) {
            $A value = x[i];
            p += value * a[i];
            q += value * b[i];
            r += value * c[i];
            s += value * d[i];
        }
        out[k] = ${N}_finish(layer, k, p);
        out[k + 1] = ${N}_finish(layer, k + 1, q);
        out[k + 2] = ${N}_finish(layer, k + 2, r);
        out[k + 3] = ${N}_finish(layer, k + 3, s);
    }
    for (; k < layer->kernels; k++) {
        const $W *a = layer->weights + (long)k * count;
        $A p = 0;
        for (i = 0; i < count; i++) p += ($A)x[i] * a[i];
        out[k] = ${N}_finish(layer, k, p);
    }
}

/* Take in one step of a block's input; returns 1 when `out` holds a new step of its output. Only that
   step is computed; pooling's phase is counted from the first sample. */
static int ${N}_block(${N}_state *state, int index, const $T *x, $T *out)
{
    const ${N}_layer *layer = &${N}_layers[index];
    $T *history = state->memory + layer->at;
    $T *largest = history + layer->count;
    int k, kept = layer->count - layer->channels;
    memmove(history, history + layer->channels, (size_t)kept * sizeof(*history));
    memcpy(history + kept, x, (size_t)layer->channels * sizeof(*history));
    if (++state->filled[index] < layer->size) return 0;
    state->filled[index] -= layer->stride;
    ${N}_rows(layer, history, out);
    if (layer->pool == 1) return 1;
    for (k = 0; k < layer->kernels; k++)
        if (state->pooled[index] == 0 || out[k] > largest[k]) largest[k] = out[k];
    if (++state->pooled[index] < layer->pool) return 0;
    state->pooled[index] = 0;
    memcpy(out, largest, (size_t)layer->kernels * sizeof(*out));
    return 1;
}

/* The mean over the window's features, summed anew from the oldest on: no error can pile up. */
static float ${N}_judge(const ${N}_state *state)
{
    $T mean[$width], logits[2];
    int k, i;
    for (k = 0; k < $width; k++) {
        $A sum = 0;
        for (i = 0; i < $features; i++) {
            int at = state->newest + i;
            sum += state->features[at < $features ? at : at - $features][k];
        }
        mean[k] = $average;
    }
    ${N}_rows(&${N}_layers[${M}_BLOCKS], mean, logits);
    return (float)(1.0 / (1.0 + exp($gap)));
}

void ${N}_init(${N}_state *state)
{
    memset(state, 0, sizeof(*state));
    state->wait = $window;
//@if running
    memcpy(state->spread, ${N}_spread, sizeof(state->spread));
    memcpy(state->gain, ${N}_gain, sizeof(state->gain));
//@end
}

int ${N}_step(${N}_state *state, const float x[${M}_CHANNELS], float *probability)
{
    $T now[$widest], next[$widest];
    int channel, index;
    for (channel = 0; channel < ${M}_CHANNELS; channel++)
        if (!isfinite(x[channel])) return -1;
    for (channel = 0; channel < ${M}_CHANNELS; channel++) {
        double *filter = state->filter[channel];
        float value;
        if (!state->begun) ${N}_settle(filter, x[channel]);
        value = ${N}_scale(state, channel, ${N}_filter(filter, x[channel]));
        now[channel] = $enter;
    }
    state->begun = 1;
//@if running
    ${N}_end_sample(state);
//@end
    for (index = 0; index < ${M}_BLOCKS; index++) {
        if (!${N}_block(state, index, now, next)) break;
        memcpy(now, next, sizeof(now));
    }
    if (index == ${M}_BLOCKS) {
        memcpy(state->features[state->newest], now, sizeof(state->features[0]));
        if (++state->newest == $features) state->newest = 0;
    }
    if (--state->wait > 0) return 0;
    state->wait = $hop;
    *probability = ${N}_judge(state);
    return 1;
}

void ${N}_alarm_init(${N}_alarm *alarm)
{
    memset(alarm, 0, sizeof(*alarm));
}

int ${N}_alarm_step(${N}_alarm *alarm, float probability)
{
    double sum = 0.0;
    int i, at;
    alarm->last[alarm->next] = probability;
    if (++alarm->next == $smoothed) alarm->next = 0;
    if (alarm->seen < $smoothed) alarm->seen++;
    for (i = 0; i < alarm->seen; i++) {   /* from the oldest on */
        at = alarm->next - alarm->seen + i;
        sum += alarm->last[at < 0 ? at + $smoothed : at];
    }
    sum /= alarm->seen;
    alarm->on = sum >= (alarm->on ? $release : $threshold);
    return alarm->on;
}

#ifdef ${M}_MAIN
/* For a try on a PC. Standard input: float32 in this machine's byte order, for each sample one value a channel, in
   their order, one sample after the other. Standard output: a probability and the alarm (0 or 1) a line. Exit code 1:
   a sample was no finite number; 2: the input ended within a sample. */
#include <stdio.h>
int main(void)
{
    static ${N}_state state;
    static ${N}_alarm alarm;
    float x[${M}_CHANNELS], probability;
    ${N}_init(&state);
    ${N}_alarm_init(&alarm);
    size_t values;
    while ((values = fread(x, sizeof(float), ${M}_CHANNELS, stdin)) == ${M}_CHANNELS) {
        int status = ${N}_step(&state, x, &probability);
        if (status < 0) return 1;
        if (status) printf("%.9g %d\n", probability, ${N}_alarm_step(&alarm, probability));
    }
    return values ? 2 : 0;
}
#endif

#endif
