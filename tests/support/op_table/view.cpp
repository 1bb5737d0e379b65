#define WICK_ROWS <tests/support/op_table/view.h>
#define WICK_ROWS_NAME "view"
#include <tests/support/op_table/define.h>
