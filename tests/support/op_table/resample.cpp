#define WICK_ROWS <tests/support/op_table/resample.h>
#define WICK_ROWS_NAME "resample"
#include <tests/support/op_table/define.h>
